package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// createCgroups makes the parent of the node's cgroups in every hierarchy.
func (s *Slot) createCgroups() error {
	dirs, err := s.cgroupDirs()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		parent := filepath.Dir(dir)
		switch filepath.Base(parent) {
		case "cpuset":
			err = inherit(parent, dir, "cpuset.cpus", "cpuset.mems")
		case filepath.Base(cgroups):
			err = delegate(parent, dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inherit copies settings that a version-1 cpuset starts without, and without which it takes no process.
func inherit(parent, dir string, files ...string) error {
	for _, file := range files {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, file), value, 0); err != nil {
			return err
		}
	}
	return nil
}

// delegate turns on every version-2 controller for the node's cgroup and what is below it.
func delegate(parent, dir string) error {
	text, err := os.ReadFile(filepath.Join(parent, "cgroup.controllers"))
	if err != nil {
		return err
	}
	on := "+" + strings.Join(strings.Fields(string(text)), " +")
	for _, d := range []string{parent, dir} {
		if err := os.WriteFile(filepath.Join(d, "cgroup.subtree_control"), []byte(on), 0); err != nil {
			return fmt.Errorf("cannot delegate cgroup controllers: %w", err)
		}
	}
	return nil
}
