package oracle

import (
	"fmt"

	"github.com/go-logr/logr"
)

// Event is one event about the HPA.
type Event struct {
	Type    string `json:"type"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// eventLog reads the controller's log. client-go logs each event before it aggregates similar ones and drops those
// over its rate, so that here they are complete and in order; a panic of the controller is logged, too.
type eventLog struct{ *cluster }

var _ logr.LogSink = eventLog{}

// The verbosity at which the controller lets its events be logged.
const eventVerbosity = 3

func (eventLog) Init(logr.RuntimeInfo) {}

func (eventLog) Enabled(verbosity int) bool { return verbosity == eventVerbosity }

func (l eventLog) Info(_ int, message string, pairs ...any) {
	if message != "Event occurred" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, Event{
		Type: value(pairs, "type"), Reason: value(pairs, "reason"), Message: value(pairs, "message"),
	})
}

func (l eventLog) Error(err error, message string, pairs ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = message
	if panicked := value(pairs, "panic"); panicked != "" {
		l.fault = "the controller panicked: " + panicked
	}
	if err != nil {
		l.fault += ": " + err.Error()
	}
}

func (l eventLog) WithValues(...any) logr.LogSink { return l }

func (l eventLog) WithName(string) logr.LogSink { return l }

// value finds what a key of a log line has.
func value(pairs []any, key string) string {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == key {
			return fmt.Sprint(pairs[i+1])
		}
	}
	return ""
}
