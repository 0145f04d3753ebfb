package bed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"kubectl-keda/tests/cluster/internal/supervise"
)

const (
	pollInterval = 50 * time.Millisecond
	tailLines    = 15
	tailWidth    = 400
)

// waiter waits for conditions, reports each step, and tells a component that died from one that is slow.
type waiter struct {
	ctx     context.Context
	group   supervise.Group
	began   time.Time
	report  func(step string) error
	timings []timing
}

// until polls check until it succeeds. It gives up when the deadline passes or when the component, whose log then says
// why, is no longer running.
func (w *waiter) until(step, component string, check func(context.Context) error) error {
	for {
		// A single attempt may hang on a half-started server; the whole wait may not.
		attempt, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		err := check(attempt)
		cancel()
		if err == nil {
			return w.reached(step)
		}
		if status, ok := w.status(component); ok && !status.Running {
			return fmt.Errorf("%s ended (%s) before it was ready; the end of %s:\n%s", component, status.Exit, status.Log, tail(status.Log))
		}
		select {
		case <-w.ctx.Done():
			return w.late(step, component, err)
		case <-time.After(pollInterval):
		}
	}
}

func (w *waiter) reached(step string) error {
	w.timings = append(w.timings, timing{step, time.Since(w.began).Round(10 * time.Millisecond).Seconds()})
	return w.report(step)
}

func (w *waiter) late(step, component string, last error) error {
	reason := "timed out"
	if errors.Is(context.Cause(w.ctx), errInterrupted) {
		reason = "interrupted"
	}
	text := fmt.Sprintf("%s waiting for %s: %v", reason, step, last)
	if status, ok := w.status(component); ok {
		text += fmt.Sprintf("; the end of %s:\n%s", status.Log, tail(status.Log))
	}
	return errors.New(text)
}

func (w *waiter) status(component string) (supervise.Status, bool) {
	list, err := w.group.List()
	if err != nil {
		return supervise.Status{}, false
	}
	for _, s := range list {
		if s.Name == component {
			return s, true
		}
	}
	return supervise.Status{}, false
}

// tail is the end of a log, indented.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return "  " + err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	for i, line := range lines {
		if len(line) > tailWidth {
			lines[i] = strings.ToValidUTF8(line[:tailWidth], "") + "…"
		}
	}
	return "  " + strings.Join(lines, "\n  ")
}
