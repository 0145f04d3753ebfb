package node

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/supervise"
)

// Init is the first process of the node's namespaces: it arranges the mounts, starts the node's supervisor, reaps what
// containers leave behind, and ends with the supervisor; its end is the end of the node.
func Init(args []string) error {
	if os.Getpid() != 1 {
		return errors.New("node-init runs as the first process of a pid namespace: `up --real-node` starts it")
	}
	if err := arrangeMounts(); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	child, err := os.StartProcess(exe, append([]string{exe, "node-supervise"}, args...), &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for s := range signals {
			_ = child.Signal(s) // Fails only once the child has ended, and then so does this process.
		}
	}()
	return reapUntil(child.Pid)
}

// reapUntil collects ended children until the given one is among them.
func reapUntil(pid int) error {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return err
		case ended == pid && status.ExitStatus() != 0:
			return fmt.Errorf("the node's supervisor ended with status %d", status.ExitStatus())
		case ended == pid:
			return nil
		}
	}
}

// arrangeMounts separates this mount namespace from the host's, and hides what must not be shared.
func arrangeMounts() error {
	// First cut every tie to the host, then let mounts travel between the containers of this node.
	for _, propagation := range []uintptr{syscall.MS_PRIVATE, syscall.MS_SHARED} {
		if err := syscall.Mount("", "/", "", propagation|syscall.MS_REC, ""); err != nil {
			return fmt.Errorf("cannot separate the mounts: %w", err)
		}
	}
	if err := syscall.Mount("proc", "/proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	for _, dir := range hidden {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("cannot hide %s: %w", dir, err)
		}
	}
	return nil
}

// Supervise is the node's supervisor: it configures the network of its namespaces and then runs the components that the
// bed asks for on its socket.
func Supervise(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: node-supervise DIR SLOT (node-init runs it)")
	}
	l, err := layout.New(args[0])
	if err != nil {
		return err
	}
	index, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	slot := &Slot{index: index}
	if err := slot.configureInside(); err != nil {
		return fmt.Errorf("cannot configure the node's network: %w", err)
	}
	group := supervise.NewLocal(l.Logs())
	var server io.Closer
	if server, err = supervise.Serve(l.NodeControl(), group); err != nil {
		return err
	}
	defer server.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	group.StopAll()
	return nil
}
