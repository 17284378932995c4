package drain

import (
	"fmt"
	"strings"
	"time"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// otlpForm is OTLP over HTTP, in protobuf. The names of the attributes are those of OpenTelemetry's semantic
// conventions, where these have one.
type otlpForm struct{ host string }

// origin is what a resource of OTLP is made of: one process of one release.
type origin struct{ app, release, process string }

func (f otlpForm) write(batch []record) ([]byte, error) {
	var all logs.LogsData
	of := map[origin]*logs.ScopeLogs{}
	now := uint64(time.Now().UnixNano())
	for _, r := range batch {
		from := origin{r.app, r.release(), r.who()}
		if of[from] == nil {
			of[from] = &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "gitd"}}
			all.ResourceLogs = append(all.ResourceLogs, &logs.ResourceLogs{Resource: f.resource(from), ScopeLogs: []*logs.ScopeLogs{of[from]}})
		}
		of[from].LogRecords = append(of[from].LogRecords, &logs.LogRecord{
			TimeUnixNano: uint64(r.Time.UnixNano()), ObservedTimeUnixNano: now, SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_INFO,
			Body: text(r.Text), Attributes: []*common.KeyValue{attribute("log.iostream", r.Stream)},
		})
	}
	return proto.Marshal(&all) // the same bytes as an ExportLogsServiceRequest
}

func (f otlpForm) resource(o origin) *resource.Resource {
	r := &resource.Resource{Attributes: []*common.KeyValue{
		attribute("service.name", o.app), attribute("service.instance.id", o.process), attribute("host.name", f.host),
	}}
	if o.release != "" {
		r.Attributes = append(r.Attributes, attribute("service.version", o.release))
	}
	return r
}

func attribute(key, value string) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: text(value)}
}

func text(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: strings.ToValidUTF8(s, "\uFFFD")}}
}

func (otlpForm) contentType() string { return "application/x-protobuf" }

// heard reads whether all lines were taken. What is no answer of OTLP, as JSON, says nothing.
func (otlpForm) heard(body []byte) error {
	var answer collector.ExportLogsServiceResponse
	whole := proto.Unmarshal(body, &answer) == nil
	n := answer.GetPartialSuccess().GetRejectedLogRecords()
	if !whole || n <= 0 {
		return nil
	}
	why := progress.OneLine(answer.GetPartialSuccess().GetErrorMessage())
	return &refusal{why: fmt.Sprintf("the receiver refuses %d lines: %.200s", n, why), some: int(min(n, maxLines))}
}
