package supervise

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// eventually polls a condition until it holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// newGroup returns a group with one component that sleeps.
func newGroup(t *testing.T) *Local {
	t.Helper()
	group := NewLocal(t.TempDir())
	t.Cleanup(group.StopAll)
	if err := group.Start(Spec{Name: "sleeper", Path: "/bin/sh", Args: []string{"-c", "echo awake; exec sleep 1000"}}); err != nil {
		t.Fatal(err)
	}
	return group
}

func status(t *testing.T, group Group) Status {
	t.Helper()
	list, err := group.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d components, want 1", len(list))
	}
	return list[0]
}

func TestStopsStartsAndRestarts(t *testing.T) {
	group := newGroup(t)
	first := status(t, group)
	if !first.Running || first.PID == 0 {
		t.Fatalf("not running after its start: %+v", first)
	}
	if err := group.Do("sleeper", Restart); err != nil {
		t.Fatal(err)
	}
	second := status(t, group)
	if second.PID == first.PID || second.Restarts != 1 || !second.Running {
		t.Fatalf("after a restart: %+v, before: %+v", second, first)
	}
	if syscall.Kill(first.PID, 0) == nil {
		t.Errorf("the first process is still there")
	}
	if err := group.Do("sleeper", Stop); err != nil {
		t.Fatal(err)
	}
	if s := status(t, group); s.Running || s.Exit != "signal: terminated" {
		t.Errorf("after a stop: %+v", s)
	}
	if err := group.Do("sleeper", Start); err != nil {
		t.Fatal(err)
	}
	if s := status(t, group); !s.Running {
		t.Errorf("after a start: %+v", s)
	}
}

func TestTellsHowAComponentEnded(t *testing.T) {
	group := newGroup(t)
	if err := syscall.Kill(status(t, group).PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the component is seen to have ended", func() bool { return !status(t, group).Running })
	if s := status(t, group); s.Exit != "signal: killed" {
		t.Errorf("exit is %q", s.Exit)
	}
}

func TestKeepsTheOutput(t *testing.T) {
	group := newGroup(t)
	log := status(t, group).Log
	eventually(t, "the component has written", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && string(text) == "awake\n"
	})
}

func TestRefusesWhatItDoesNotHave(t *testing.T) {
	group := newGroup(t)
	err := group.Do("nobody", Restart)
	if err == nil || !strings.Contains(err.Error(), "sleeper") {
		t.Errorf("the error does not name what there is: %v", err)
	}
	if err := group.Start(Spec{Name: "sleeper", Path: "/bin/true"}); err == nil {
		t.Errorf("a second component of the same name was started")
	}
	if err := group.Start(Spec{Name: "missing", Path: "/no/such/file"}); err == nil {
		t.Errorf("a missing executable was started")
	}
}

func TestAnswersOnASocket(t *testing.T) {
	group := newGroup(t)
	socket := filepath.Join(t.TempDir(), "s")
	server, err := Serve(socket, group)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	joined := Joined{NewLocal(t.TempDir()), Dial(socket)}
	before := status(t, joined)
	if err := joined.Do("sleeper", Kill); err != nil {
		t.Fatal(err)
	}
	if err := joined.Do("sleeper", Start); err != nil {
		t.Fatal(err)
	}
	if after := status(t, joined); after.PID == before.PID || !after.Running {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if err := joined.Do("sleeper", "dance"); err == nil {
		t.Errorf("an unknown verb was accepted")
	}
}
