package bed

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/node"
	"kubectl-keda/tests/cluster/internal/supervise"
)

// State describes a bed that is ready. `up` prints it, state.json keeps it.
type State struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
	// PID is the supervisor's.
	PID               int    `json:"pid"`
	KubernetesVersion string `json:"kubernetesVersion"`
	// Server is the URL of the API server for processes on this host.
	Server string `json:"server"`
	// Kubeconfig logs in as a member of system:masters, with a client certificate.
	Kubeconfig string `json:"kubeconfig"`
	// CA is the certificate that signed everything that serves in this bed.
	CA string `json:"ca"`
	// HostAddress is where an EndpointSlice must point to reach a process on this host; empty if there is no such
	// address.
	HostAddress string `json:"hostAddress,omitempty"`
	// AddedAddress is HostAddress when the bed had to add it to the loopback link.
	AddedAddress string `json:"addedAddress,omitempty"`
	AuditLog     string `json:"auditLog,omitempty"`
	// Nodes counts the simulated nodes.
	Nodes    int         `json:"nodes"`
	RealNode *node.State `json:"realNode,omitempty"`
	// RealNodeOff tells why there is no real node although one was asked for.
	RealNodeOff string   `json:"realNodeOff,omitempty"`
	Timings     []timing `json:"timings"`
	// Components is filled in by `status`.
	Components []supervise.Status `json:"components,omitempty"`
}

// timing is when a step was reached, in seconds since the start.
type timing struct {
	Step    string  `json:"step"`
	Seconds float64 `json:"seconds"`
}

// save makes the state known: whoever sees state.json sees all of it.
func (s *State) save(l layout.Layout) error {
	if err := s.saveDraft(l); err != nil {
		return err
	}
	return os.Rename(draft(l), l.State())
}

// saveDraft keeps what is known before the bed is ready, for sweep alone.
func (s *State) saveDraft(l layout.Layout) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(draft(l), text, 0o600)
}

func draft(l layout.Layout) string { return l.State() + ".draft" }

func loadState(l layout.Layout) (*State, error) {
	state, err := readState(l.State())
	if errors.Is(err, os.ErrNotExist) || err == nil && supervisor(l) == 0 {
		return nil, fmt.Errorf("no bed runs in %s: start one with `up`", l.Dir)
	}
	return state, err
}

// loadAnyState reads the state of a bed that need not be ready or alive; nil if there is none.
func loadAnyState(l layout.Layout) (*State, error) {
	for _, path := range []string{l.State(), draft(l)} {
		state, err := readState(path)
		if !errors.Is(err, os.ErrNotExist) {
			return state, err
		}
	}
	return nil, nil
}

func readState(path string) (*State, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s State
	return &s, json.Unmarshal(text, &s)
}

// lockDir makes this process the supervisor of a directory until it ends.
func lockDir(l layout.Layout) (*os.File, error) {
	file, err := os.OpenFile(l.Lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	// Whoever merely looks whether the lock is held holds it for an instant.
	for range 20 {
		if err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			break
		}
		time.Sleep(pollInterval)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("a bed already runs in %s (pid %d): take it down first, or choose another --name", l.Dir, supervisor(l))
	}
	if err := file.Truncate(0); err != nil {
		return nil, err
	}
	_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	return file, err
}

// supervisor is the process id of the supervisor that holds a directory, or 0 if none does.
func supervisor(l layout.Layout) int {
	file, err := os.Open(l.Lock())
	if err != nil {
		return 0
	}
	defer file.Close()
	if syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	text, err := os.ReadFile(l.Lock())
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}
