package drain

import (
	"compress/gzip"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	gosyslog "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	parser "github.com/leodido/go-syslog/v4/rfc5424"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

// certificate is that of httptest, for 127.0.0.1 and example.com, and the pool that trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s.TLS.Certificates[0], pool
}

// syslogd takes connections with messages of syslog, and reads them with somebody else's parser.
func syslogd(t *testing.T, l net.Listener, in *inbox) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				octetcounting.NewParser(gosyslog.WithListener(func(r *gosyslog.Result) {
					m, ok := r.Message.(*parser.SyslogMessage)
					if !ok {
						return
					}
					release := ""
					if m.StructuredData != nil {
						release = (*m.StructuredData)["gitd@32473"]["release"] + " "
					}
					in.put(fmt.Sprintf("%s %s %s%s", *m.Appname, *m.ProcID, release, *m.Message))
				})).Parse(conn)
			}()
		}
	}()
}

func TestSyslog(t *testing.T) {
	cert, pool := certificate(t)
	for _, kind := range []kind{syslogTCP, syslogTLS} {
		t.Run(string(kind), func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if kind == syslogTLS {
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}})
			}
			in := newInbox()
			syslogd(t, l, in)
			r := newRig(t, "127.0.0.1")
			r.end(0)
			r.cfg.Roots = pool
			r.begin()
			r.says("shop", 0, 0, 0) // before there is a drain
			r.stored("shop")
			r.add("shop", string(kind)+"://"+l.Addr().String())
			r.says("blog", 1, 1, 0)
			r.says("shop", 1, 3, 0)
			same(t, in.wait(t, 3), want(1, 3))
			if s := r.state("sent", func(s State) bool { return s.Sent == 3 }); !s.Up || s.Dropped != 0 || s.Behind != 0 || s.Error != "" {
				t.Errorf("%+v", s)
			}
		})
	}
}

// stored waits until what was said is in the files.
func (r *rig) stored(app string) {
	for _, err := range r.logs.Tail(app, 1, nil) {
		r.must(err)
	}
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("line %d is %q, want %q", i, got[i], want[i])
		}
	}
}

// unpacked is the body of a request, which must be packed.
func unpacked(t *testing.T, req *http.Request) []byte {
	t.Helper()
	z, err := gzip.NewReader(req.Body)
	if err != nil {
		t.Errorf("%s: %v", req.Header.Get("Content-Encoding"), err)
		return nil
	}
	body, err := io.ReadAll(z)
	if err != nil {
		t.Error(err)
	}
	return body
}

// takeJSON puts what a request holds into in.
func takeJSON(t *testing.T, req *http.Request, in *inbox) {
	t.Helper()
	var lines []map[string]string
	if err := json.Unmarshal(unpacked(t, req), &lines); err != nil {
		t.Error(err)
	}
	for _, l := range lines {
		in.put(strings.TrimRight(fmt.Sprintf("%s %s %s %s", l["app"], l["process"], l["release"], l["message"]), "."))
	}
}

// serveTLS serves HTTPS, and gives r its authority.
func (r *rig) serveTLS(h http.HandlerFunc) *httptest.Server {
	r.t.Helper()
	s := httptest.NewTLSServer(h)
	r.t.Cleanup(s.Close)
	r.end(0)
	r.cfg.Roots = x509.NewCertPool()
	r.cfg.Roots.AddCert(s.Certificate())
	r.begin()
	return s
}

func TestJSON(t *testing.T) {
	in := newInbox()
	var auth, whole atomic.Value
	r := newRig(t, "127.0.0.1")
	s := r.serveTLS(func(w http.ResponseWriter, req *http.Request) {
		auth.Store(req.Header.Get("Authorization") + " " + req.URL.String())
		whole.Store(req.Header.Get("Content-Type"))
		takeJSON(t, req, in)
	})
	r.add("", strings.Replace(s.URL, "https://", "https://:t0ken@", 1)+"/in?key=x")
	r.says("shop", 1, 2, 0)
	same(t, in.wait(t, 2), want(1, 2))
	if auth.Load() != "Bearer t0ken /in?key=x" || whole.Load() != "application/json" {
		t.Errorf("%v, %v", auth.Load(), whole.Load())
	}
}

func TestOTLP(t *testing.T) {
	in := newInbox()
	r := newRig(t, "127.0.0.1")
	var refused atomic.Bool
	s := r.serveTLS(func(w http.ResponseWriter, req *http.Request) {
		var got collector.ExportLogsServiceRequest
		if err := proto.Unmarshal(unpacked(t, req), &got); err != nil || req.URL.Path != "/v1/logs" {
			t.Errorf("%s: %v", req.URL.Path, err)
		}
		for _, res := range got.ResourceLogs {
			a := attributes(res.Resource.Attributes)
			for _, rec := range res.ScopeLogs[0].LogRecords {
				in.put(fmt.Sprintf("%s %s %s %s", a["service.name"], a["service.instance.id"], a["service.version"], rec.Body.GetStringValue()))
				if rec.TimeUnixNano <= 1_900_000_000_000_000_000 || attributes(rec.Attributes)["log.iostream"] != "stdout" ||
					rec.SeverityNumber != logs.SeverityNumber_SEVERITY_NUMBER_INFO {
					t.Errorf("%v", rec)
				}
			}
		}
		answer := &collector.ExportLogsServiceResponse{}
		if !refused.Swap(true) {
			answer.PartialSuccess = &collector.ExportLogsPartialSuccess{RejectedLogRecords: 1, ErrorMessage: "too\nold"}
		}
		body, err := proto.Marshal(answer)
		if err != nil {
			t.Error(err)
		}
		w.Write(body)
	})
	r.add("shop", strings.Replace(s.URL, "https://", "otlp://", 1))
	r.says("shop", 1, 2, 0)
	same(t, in.wait(t, 2), want(1, 2))
	got := r.state("sent", func(s State) bool { return s.Sent == 1 })
	if got.Dropped != 1 || got.Error != "the receiver refuses 1 lines: too old" {
		t.Errorf("%+v", got)
	}
}

func attributes(list []*common.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range list {
		all[a.Key] = a.Value.GetStringValue()
	}
	return all
}
