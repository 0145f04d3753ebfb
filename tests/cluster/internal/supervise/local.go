package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// grace is how long a component may take to end on SIGTERM before it is killed.
const grace = 5 * time.Second

// Local is a Group whose components are children of this process. The kernel kills them if it dies.
type Local struct {
	logs  string
	forks chan func()

	mu    sync.Mutex
	procs []*process
}

// process is one component; cmd is nil once it has been stopped or has died.
type process struct {
	spec     Spec
	cmd      *exec.Cmd
	done     chan struct{}
	exit     string
	restarts int
}

// NewLocal returns an empty group that writes each component's output to DIR/NAME.log.
func NewLocal(dir string) *Local {
	l := &Local{logs: dir, forks: make(chan func())}
	go func() {
		// Pdeathsig follows the thread that forked, not the process: fork from one thread that never ends.
		runtime.LockOSThread()
		for f := range l.forks {
			f()
		}
	}()
	return l
}

// Start implements Group.
func (l *Local) Start(spec Spec) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.find(spec.Name) != nil {
		return fmt.Errorf("%s is already part of the bed", spec.Name)
	}
	p := &process{spec: spec}
	l.procs = append(l.procs, p)
	return l.launch(p)
}

// Do implements Group.
func (l *Local) Do(name string, verb Verb) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.find(name)
	if p == nil {
		return fmt.Errorf("no component %q: one of %v", name, l.names())
	}
	switch verb {
	case Stop:
		p.end(syscall.SIGTERM)
		return nil
	case Kill:
		p.end(syscall.SIGKILL)
		return nil
	case Start:
		if p.running() {
			return nil
		}
	case Restart:
		p.end(syscall.SIGTERM)
	default:
		return fmt.Errorf("unknown verb %q", verb)
	}
	p.restarts++
	return l.launch(p)
}

// List implements Group.
func (l *Local) List() ([]Status, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Status, 0, len(l.procs))
	for _, p := range l.procs {
		s := Status{Name: p.spec.Name, Running: p.running(), Restarts: p.restarts, Log: l.log(p.spec.Name)}
		if s.Running {
			s.PID = p.cmd.Process.Pid
			s.RSS, s.CPUSeconds = usage(s.PID)
		} else {
			s.Exit = p.exit
		}
		out = append(out, s)
	}
	return out, nil
}

// StopAll ends every component, the last started first.
func (l *Local) StopAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.procs) - 1; i >= 0; i-- {
		l.procs[i].end(syscall.SIGTERM)
	}
}

// PID returns the process id of a running component, or 0.
func (l *Local) PID(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.find(name); p != nil && p.running() {
		return p.cmd.Process.Pid
	}
	return 0
}

func (l *Local) launch(p *process) error {
	log, err := os.OpenFile(l.log(p.spec.Name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.spec.Path, p.spec.Args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), p.spec.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if p.spec.Isolated {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID
	}
	started := make(chan error)
	l.forks <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return fmt.Errorf("cannot start %s: %w", p.spec.Name, err)
	}
	p.cmd, p.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		_ = cmd.Wait() // The state below says all that the error would.
		p.exit = cmd.ProcessState.String()
		close(done)
	}(p.done)
	return nil
}

func (l *Local) find(name string) *process {
	for _, p := range l.procs {
		if p.spec.Name == name {
			return p
		}
	}
	return nil
}

func (l *Local) names() []string {
	var out []string
	for _, p := range l.procs {
		out = append(out, p.spec.Name)
	}
	return out
}

func (l *Local) log(name string) string { return filepath.Join(l.logs, name+".log") }

func (p *process) running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// end sends sig, then SIGKILL after the grace period, and waits until the process is gone.
func (p *process) end(sig syscall.Signal) {
	if !p.running() {
		return
	}
	_ = p.cmd.Process.Signal(sig) // Fails only if it has just ended, which is what is wanted.
	select {
	case <-p.done:
		return
	case <-time.After(grace):
	}
	_ = p.cmd.Process.Kill()
	<-p.done
}
