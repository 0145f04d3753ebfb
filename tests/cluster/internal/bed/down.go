package bed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/node"
)

// patience is how long the supervisor may take to stop everything.
const patience = time.Minute

// Down stops a bed and leaves nothing of it but its logs. Without a bed it does nothing.
func Down(args []string) error {
	var name, dir string
	flags := pflag.NewFlagSet("down", pflag.ContinueOnError)
	dirFlags(flags, &name, &dir)
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, err := openLayout(name, dir)
	if err != nil {
		return err
	}
	if pid := supervisor(l); pid != 0 {
		if err := stopSupervisor(l, pid); err != nil {
			return err
		}
	}
	return sweep(l)
}

// stopSupervisor ends the supervisor; its death ends whatever it could not stop.
func stopSupervisor(l layout.Layout, pid int) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("cannot stop the supervisor (pid %d): %w", pid, err)
	}
	for deadline := time.Now().Add(patience); supervisor(l) == pid; time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			return fmt.Errorf("the supervisor (pid %d) did not stop within %s and was killed: run `down` once more", pid, patience)
		}
	}
	return nil
}

// sweep undoes what a bed without a supervisor has left: on the host by what its state says, and in its directory
// everything but the logs.
func sweep(l layout.Layout) error {
	state, err := loadAnyState(l)
	if err != nil {
		return err
	}
	var problems []error
	if state != nil && state.AddedAddress != "" {
		problems = append(problems, removeHostAddress(state.AddedAddress))
	}
	problems = append(problems, node.SweepDir(l))
	entries, err := os.ReadDir(l.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(l.Dir, entry.Name())
		// The lock outlives its holder's last step, and a log explains what went wrong.
		if path != l.Logs() && path != l.Lock() {
			problems = append(problems, os.RemoveAll(path))
		}
	}
	return errors.Join(problems...)
}
