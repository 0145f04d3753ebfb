package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/kubernetes/pkg/features"
)

// Scenarios that are read ahead of the one whose trace is written next.
const readAhead = 256

// job is one line on its way through Serve.
type job struct {
	number   int
	scenario *Scenario
	// Why the line cannot be read.
	err   error
	trace []byte
}

// scaleToZero is the value of the gate HPAScaleToZero that a job needs.
func (j *job) scaleToZero() bool {
	return j.scenario.Controller.ScaleToZero
}

// Serve reads scenarios, a line each, and writes their traces, a line each in the same order, as soon as they are
// known. It returns at the end of the input. Scenarios run side by side, one a processor; the feature gates are the
// process's, so that only those with the same gates do.
func Serve(t *testing.T, input io.Reader, output io.Writer) error {
	s := server{
		t:       t,
		output:  output,
		waiting: map[bool][]*job{},
		done:    make(chan *job),
		ready:   map[int]*job{},
	}
	if err := s.setGates(false); err != nil {
		return err
	}
	lines, failed := read(input)
	for lines != nil || s.next < s.taken {
		from := lines
		if s.taken-s.next >= readAhead {
			from = nil
		}
		select {
		case line, more := <-from:
			if !more {
				lines = nil
				continue
			}
			s.take(line)
		case finished := <-s.done:
			s.running--
			s.ready[finished.number] = finished
		}
		if err := s.start(); err != nil {
			return err
		}
		if err := s.write(); err != nil {
			return err
		}
	}
	return <-failed
}

// read sends the lines that are not empty, and then the error that ended them, if any.
func read(input io.Reader) (<-chan []byte, <-chan error) {
	lines, failed := make(chan []byte), make(chan error, 1)
	go func() {
		defer close(lines)
		reader := bufio.NewReader(input)
		for {
			line, err := reader.ReadBytes('\n')
			if line = bytes.TrimSpace(line); len(line) > 0 {
				lines <- line
			}
			if errors.Is(err, io.EOF) {
				failed <- nil
				return
			}
			if err != nil {
				failed <- fmt.Errorf("cannot read scenarios: %w", err)
				return
			}
		}
	}()
	return lines, failed
}

type server struct {
	t      *testing.T
	output io.Writer
	// Jobs to be started, by the gate that they need.
	waiting map[bool][]*job
	gate    bool
	running int
	done    chan *job
	// Finished jobs whose turn to be written has not come.
	ready map[int]*job
	// Jobs taken so far, and the one to be written next.
	taken, next int
}

func (s *server) take(line []byte) {
	taken := &job{number: s.taken}
	s.taken++
	taken.scenario, taken.err = parseScenario(line)
	gate := taken.scaleToZero()
	s.waiting[gate] = append(s.waiting[gate], taken)
}

// start starts as many waiting jobs as there are processors; it turns the gate once no job needs it as it is.
func (s *server) start() error {
	for s.running < runtime.GOMAXPROCS(0) {
		if len(s.waiting[s.gate]) == 0 {
			if s.running > 0 || len(s.waiting[!s.gate]) == 0 {
				return nil
			}
			if err := s.setGates(!s.gate); err != nil {
				return err
			}
		}
		started := s.waiting[s.gate][0]
		s.waiting[s.gate] = s.waiting[s.gate][1:]
		s.running++
		go func() {
			started.run(s.t)
			s.done <- started
		}()
	}
	return nil
}

// setGates sets the gates of the HPA; the others are as Kubernetes has them by default.
func (s *server) setGates(scaleToZero bool) error {
	s.gate = scaleToZero
	return SetGates(scaleToZero)
}

// SetGates sets the feature gate HPAScaleToZero for the whole process.
func SetGates(scaleToZero bool) error {
	return utilfeature.DefaultMutableFeatureGate.SetFromMap(map[string]bool{string(features.HPAScaleToZero): scaleToZero})
}

func (j *job) run(t *testing.T) {
	trace := Trace{Name: j.scenario.Name}
	if j.err != nil {
		if trace.Name == "" {
			trace.Name = fmt.Sprintf("line %d", j.number+1)
		}
		trace.Error = j.err.Error()
	} else {
		trace = Run(t, j.scenario)
	}
	text, err := json.Marshal(trace)
	if err != nil {
		text = fmt.Appendf(nil, `{"name":%q,"error":"cannot write the trace: %v"}`, trace.Name, err)
	}
	j.trace = append(text, '\n')
	j.scenario = nil
}

// write writes the traces whose turn has come.
func (s *server) write() error {
	for {
		finished, ready := s.ready[s.next]
		if !ready {
			return nil
		}
		delete(s.ready, s.next)
		s.next++
		if _, err := s.output.Write(finished.trace); err != nil {
			return fmt.Errorf("cannot write traces: %w", err)
		}
	}
}
