package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// snapshot is how everything was at the last scrape. The caller of its methods holds the lock of the Metrics.
type snapshot struct {
	apps     []fleet.AppStatus
	counts   []core.Counts // of apps
	conns    core.Conns
	work     deploy.Overview
	promised core.Resources
	most     core.Resources
	spare    int
	kept     int
	space    Space
	spaceErr error
	away     bool
}

func (s *snapshot) take(apps []fleet.AppStatus, from Sources) {
	s.apps, s.counts = apps, s.counts[:0]
	for _, a := range apps {
		s.counts = append(s.counts, from.Counts(a.App))
	}
	s.conns, s.work = from.Conns(), from.Work()
	s.promised, s.most = from.Places()
	s.spare, s.kept = from.Ready()
	s.space, s.spaceErr = from.Space()
	away, _ := from.Libvirt()
	s.away = away != ""
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	stateDesc    = desc("gitd_app_state", "1 for the state that the app is in.", "app", "state")
	releaseDesc  = desc("gitd_app_release", "Version of the release that runs, or of the live one; 0: there is none.", "app")
	upDesc       = desc("gitd_process_up", "1 if the process of the app runs.", "app", "process")
	restartsDesc = desc("gitd_process_restarts_total", "How often the process was started again: in its machine, or in place of a lost one.", "app", "process")
	bootedDesc   = desc("gitd_machine_start_time_seconds", "When the machine of the process came into its state, in seconds since 1970.", "app", "process")
	cpuDesc      = desc("gitd_machine_cpu_seconds_total", "Processor time of the app's processes in its machine, as the guest says.", "app", "process")
	memoryDesc   = desc("gitd_machine_memory_used_bytes", "Memory of the machine that is in use and could not be freed at once, as the guest says.", "app", "process")
	limitDesc    = desc("gitd_machine_memory_limit_bytes", "Memory that the machine's kernel has, as the guest says.", "app", "process")
	rssDesc      = desc("gitd_machine_app_memory_bytes", "Resident memory of the app's processes, as the guest says.", "app", "process")
	linesDesc    = desc("gitd_machine_lines_dropped_total", "Lines of output that the machine dropped, because more was written than could be sent.", "app", "process")

	connsDesc      = desc("gitd_http_connections", "Connections of HTTP clients, with a request that runs (active) or without (idle).", "state")
	mostConnsDesc  = desc("gitd_http_connections_max", "Connections of HTTP clients that may be open.")
	turnedAwayDesc = desc("gitd_http_connections_refused_total", "Connections of HTTP clients that were turned away, because there were too many.")
	deploysDesc    = desc("gitd_deployments", "Pushes and commands that change apps, at work (running) or in the queues of their apps (waiting).", "state")
	buildsDesc     = desc("gitd_builds", "Builds at work (running) or in the queue for builds (waiting).", "state")
	mostBuildsDesc = desc("gitd_builds_max", "Builds that run side by side.")
	promisedDesc   = desc("gitd_machines_memory_promised_bytes", "Memory of all places that machines have.")
	mostMemDesc    = desc("gitd_machines_memory_max_bytes", "Memory that all machines may have together; 0: there is no limit.")
	cpusDesc       = desc("gitd_machines_cpus_promised", "Processors of all places that machines have.")
	mostCPUsDesc   = desc("gitd_machines_cpus_max", "Processors that all machines may have together; 0: there is no limit.")
	readyDesc      = desc("gitd_machines_ready", "Machines that no app has: those that wait, booted, for the next deployment (spare), and those that were replaced and are paused for a rollback (kept).", "kind")
	libvirtDesc    = desc("gitd_libvirt_up", "1 if gitd is connected to libvirt.")
	sizeDesc       = desc("gitd_state_filesystem_size_bytes", "Size of the file system that the state folder is on.")
	freeDesc       = desc("gitd_state_filesystem_free_bytes", "Bytes of it that gitd may still take.")
	filesDesc      = desc("gitd_state_filesystem_files_free", "Files that may still be made on it.")
)

// Describe implements prometheus.Collector: series come and go.
func (s *snapshot) Describe(chan<- *prometheus.Desc) {}

// sink takes the values of one scrape.
type sink chan<- prometheus.Metric

func (to sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (to sink) counter(d *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

// Collect implements prometheus.Collector.
func (s *snapshot) Collect(out chan<- prometheus.Metric) {
	to := sink(out)
	for i, a := range s.apps {
		to.gauge(stateDesc, 1, a.App, strings.ReplaceAll(string(a.State), " ", "_"))
		to.gauge(releaseDesc, float64(a.Release), a.App)
		for _, p := range a.Processes {
			to.process(a.App, p)
		}
		counted(out, a.App, s.counts[i])
	}
	s.host(to)
}

// process shows a process. What a guest says of itself may be anything: it can lie about its own series alone.
func (to sink) process(app string, p fleet.ProcessStatus) {
	name := p.Process.String()
	to.gauge(upDesc, truth(p.State == fleet.Running || p.State == fleet.Unseen), app, name)
	to.counter(restartsDesc, float64(p.Restarts), app, name)
	if p.Machine == "" {
		return
	}
	to.gauge(bootedDesc, float64(p.Since.UnixNano())/1e9, app, name)
	if s := p.Stats; s != nil {
		to.counter(cpuDesc, max(s.CPU, 0).Seconds(), app, name)
		to.gauge(memoryDesc, float64(s.MemoryUsed), app, name)
		to.gauge(limitDesc, float64(s.MemoryTotal), app, name)
		to.gauge(rssDesc, float64(s.AppRSS), app, name)
		to.counter(linesDesc, float64(max(s.Dropped, 0)), app, name)
	}
}

// host shows what belongs to no app.
func (s *snapshot) host(to sink) {
	to.gauge(connsDesc, float64(s.conns.Active), "active")
	to.gauge(connsDesc, float64(s.conns.Idle), "idle")
	to.gauge(mostConnsDesc, float64(s.conns.Most))
	to.counter(turnedAwayDesc, float64(s.conns.TurnedAway))
	to.queue(deploysDesc, s.work.Queue)
	to.queue(buildsDesc, s.work.Builds)
	to.gauge(mostBuildsDesc, float64(s.work.BuildLimit))
	to.gauge(promisedDesc, float64(s.promised.MemoryMiB)*(1<<20))
	to.gauge(mostMemDesc, float64(s.most.MemoryMiB)*(1<<20))
	to.gauge(cpusDesc, float64(s.promised.CPUs))
	to.gauge(mostCPUsDesc, float64(s.most.CPUs))
	to.gauge(readyDesc, float64(s.spare), "spare")
	to.gauge(readyDesc, float64(s.kept), "kept")
	to.gauge(libvirtDesc, truth(!s.away))
	if s.spaceErr == nil {
		to.gauge(sizeDesc, float64(s.space.Size))
		to.gauge(freeDesc, float64(s.space.Free))
		to.gauge(filesDesc, float64(s.space.FilesFree))
	}
}

func (to sink) queue(d *prometheus.Desc, turns []deploy.QueueEntry) {
	waiting := 0
	for _, t := range turns {
		if t.Position > 0 {
			waiting++
		}
	}
	to.gauge(d, float64(len(turns)-waiting), "running")
	to.gauge(d, float64(waiting), "waiting")
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
