package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// places are directories where container tools leave things on a host.
var places = []string{"/run", "/run/lock", "/run/netns", "/var/lib", "/var/log", "/etc/cni", "/usr/libexec", "/sys/fs/cgroup", "/sys/fs/cgroup/*"}

// snapshot is what a bed could leave behind, by kind, each line one thing.
func snapshot(t *testing.T) map[string][]string {
	t.Helper()
	s := map[string][]string{}
	commands := map[string][]string{
		"links":     {"ip", "-oneline", "link"},
		"addresses": {"ip", "-oneline", "address"},
		"routes":    {"ip", "route"},
		"netns":     {"ip", "netns"},
		"iptables":  {"iptables-save"},
	}
	for kind, command := range commands {
		out, err := exec.Command(command[0], command[1:]...).Output()
		if errors.Is(err, exec.ErrNotFound) {
			missing(t, command[0]+" is not installed")
		}
		if err != nil {
			t.Fatalf("%v: %v", command, err)
		}
		s[kind] = lines(string(out))
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	s["mounts"] = lines(string(mounts))
	for _, pattern := range places {
		entries, err := filepath.Glob(pattern + "/*")
		if err != nil {
			t.Fatal(err)
		}
		s["files"] = append(s["files"], entries...)
	}
	forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		t.Fatal(err)
	}
	s["sysctl"] = lines(string(forward))
	return s
}

func lines(text string) []string {
	out := slices.Collect(strings.Lines(text))
	sort.Strings(out)
	return out
}

// processes of a bed: whatever has its directory on the command line, or is a container that no longer has a parent
// that would.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // It has ended meanwhile.
		}
		command := strings.ReplaceAll(string(text), "\x00", " ")
		own := strings.HasPrefix(path, "/proc/"+strconv.Itoa(os.Getpid())+"/")
		if !own && (strings.Contains(command, dir) || strings.HasPrefix(command, "/probe ") || strings.HasPrefix(command, "/pause ")) {
			found = append(found, path+": "+command)
		}
	}
	return found
}

// expectNothing compares the host with what it was before a bed.
func expectNothing(t *testing.T, before map[string][]string, dir string) {
	t.Helper()
	eventually(t, 10*time.Second, func() string {
		var left []string
		for kind, now := range snapshot(t) {
			for _, line := range now {
				if !slices.Contains(before[kind], line) {
					left = append(left, kind+": "+line)
				}
			}
			for _, line := range before[kind] {
				if !slices.Contains(now, line) {
					left = append(left, kind+" lost: "+line)
				}
			}
		}
		left = append(left, processes(t, dir)...)
		return strings.Join(left, "\n")
	})
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "logs" && entry.Name() != "lock" {
			t.Errorf("%s stays in the state directory", entry.Name())
		}
	}
}

func TestDownLeavesNothing(t *testing.T) {
	before := snapshot(t)
	b := upWithNode(t, "down")
	b.deployProbes(t)
	if len(processes(t, b.Dir)) == 0 {
		t.Fatalf("this test does not see the processes of a running bed")
	}
	must(t, "down", "--dir", b.Dir)
	expectNothing(t, before, b.Dir)
}

func TestAKilledSupervisorLeavesNothing(t *testing.T) {
	before := snapshot(t)
	b := upWithNode(t, "killed")
	b.deployProbes(t)
	if err := syscall.Kill(b.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	must(t, "down", "--dir", b.Dir)
	expectNothing(t, before, b.Dir)
}

func TestTwoRealNodesRunSideBySide(t *testing.T) {
	first, second := upWithNode(t, "first"), upWithNode(t, "second")
	if first.RealNode.Address == second.RealNode.Address {
		t.Fatalf("both nodes are at %s", first.RealNode.Address)
	}
	for _, b := range []*bed{first, second} {
		b.deployProbes(t)
		b.connects(t)
	}
	must(t, "down", "--dir", first.Dir)
	second.connects(t)
}
