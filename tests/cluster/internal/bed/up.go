package bed

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"kubectl-keda/tests/cluster/internal/layout"
)

// message is what the supervisor tells `up` while the bed comes up.
type message struct {
	Step  string `json:"step,omitempty"`
	Error string `json:"error,omitempty"`
	Ready bool   `json:"ready,omitempty"`
}

// messageFD is the descriptor on which the supervisor finds its end of the pipe.
const messageFD = 3

// Up starts a bed in the background. Each step goes to stderr as it is reached, the state to stdout at the end.
func Up(args []string) error {
	options, err := parseOptions(args)
	if err != nil {
		return err
	}
	l, err := openLayout(options.Name, options.Dir)
	if err != nil {
		return err
	}
	if err := prepare(l, options); err != nil {
		return err
	}
	if err := launch(l); err != nil {
		return err
	}
	text, err := os.ReadFile(l.State())
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(text))
	return err
}

// prepare empties the state directory, after undoing what a bed that crashed there has left on the host.
func prepare(l layout.Layout, options Options) error {
	if pid := supervisor(l); pid != 0 {
		return fmt.Errorf("a bed already runs in %s (pid %d): take it down first, or choose another --name", l.Dir, pid)
	}
	if err := sweep(l); err != nil {
		return err
	}
	if err := os.RemoveAll(l.Logs()); err != nil {
		return err
	}
	if err := os.MkdirAll(l.Logs(), 0o700); err != nil {
		return err
	}
	return options.save(l)
}

// launch runs the supervisor in a session of its own and follows it until the bed is ready.
func launch(l layout.Layout) error {
	log, err := os.Create(l.Log("supervisor"))
	if err != nil {
		return err
	}
	defer log.Close()
	messages, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer messages.Close()
	cmd := exec.Command(l.Exe(), "supervise", l.Dir)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return err
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(interrupts)
	go func() {
		if _, ok := <-interrupts; ok {
			_ = cmd.Process.Signal(syscall.SIGTERM) // The supervisor undoes what it has done so far.
		}
	}()
	if err := follow(messages, l); err != nil {
		_ = cmd.Wait() // Its message says more than its exit status.
		return err
	}
	return cmd.Process.Release()
}

func follow(messages io.Reader, l layout.Layout) error {
	lines := bufio.NewScanner(messages)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return err
		}
		switch {
		case m.Ready:
			return nil
		case m.Error != "":
			return errors.New(strings.TrimSpace(m.Error))
		default:
			fmt.Fprintln(os.Stderr, m.Step)
		}
	}
	return fmt.Errorf("the supervisor ended; the end of %s:\n%s", l.Log("supervisor"), tail(l.Log("supervisor")))
}
