package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kubectl-keda/tests/cluster/internal/layout"
)

// cgroups is where the kernel's cgroup hierarchies are mounted: one for each controller, or a single one.
const cgroups = "/sys/fs/cgroup"

// emptying is how long the processes of a cgroup may take to be gone after their node has ended.
const emptying = 10 * time.Second

// Sweep removes what outlives the node's namespaces: its end of the link and its cgroups.
func (s *Slot) Sweep() error {
	problems := []error{s.disconnect()}
	roots, err := s.cgroupDirs()
	if err != nil {
		return err
	}
	for _, root := range roots {
		problems = append(problems, removeCgroup(root))
	}
	return errors.Join(problems...)
}

// SweepDir removes the node's files in a bed's directory, and sweeps its slot if no living bed holds that.
func SweepDir(l layout.Layout) error {
	text, err := os.ReadFile(l.Node("slot"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	index, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	slot, err := tryLock(index, holder{os.Getpid(), l.Dir})
	if errors.Is(err, errHeld) {
		// Its next holder has swept it.
		return os.RemoveAll(l.Node())
	}
	if err != nil {
		return err
	}
	defer slot.Release()
	return errors.Join(slot.Sweep(), os.RemoveAll(l.Node()))
}

// hierarchies are the mounted cgroup hierarchies: every version-1 controller, or the unified one alone.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}, nil
	}
	entries, err := os.ReadDir(cgroups)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, entry := range entries {
		// Names like cpu,cpuacct have symbolic links beside them.
		if entry.IsDir() {
			dirs = append(dirs, filepath.Join(cgroups, entry.Name()))
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no cgroup hierarchy is mounted below %s", cgroups)
	}
	return dirs, nil
}

func (s *Slot) cgroupDirs() ([]string, error) {
	roots, err := hierarchies()
	for i := range roots {
		roots[i] = filepath.Join(roots[i], s.CgroupRoot())
	}
	return roots, err
}

// removeCgroup removes a cgroup and those below it, innermost first, once their processes have gone.
func removeCgroup(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.Reverse(dirs)
	deadline := time.Now().Add(emptying)
	for _, dir := range dirs {
		for err = os.Remove(dir); errors.Is(err, syscall.EBUSY) && time.Now().Before(deadline); err = os.Remove(dir) {
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
