package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"

	"kubectl-keda/tests/cluster/internal/layout"
)

// namespaces are what separates the node from the host.
const namespaces = syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID

// tryKernel runs Check in namespaces of its own and returns what it found missing.
func tryKernel(l layout.Layout) error {
	check := exec.Command(l.Exe(), "node-check")
	check.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	out, err := check.CombinedOutput()
	if len(out) > 0 {
		return errors.New(strings.TrimSpace(string(out)))
	}
	if err != nil {
		return fmt.Errorf("cannot create mount, network and pid namespaces: %w", err)
	}
	return nil
}

// Check tries in the namespaces of this process what the kernel must be able to do for the node. Everything it makes
// ends with it.
func Check([]string) error {
	if os.Getpid() != 1 {
		return errors.New("node-check runs as the first process of a pid namespace: `up --real-node` starts it")
	}
	if err := arrangeMounts(); err != nil {
		return err
	}
	return errors.Join(tryOverlay(), tryLinks(), tryCgroups())
}

func tryOverlay() error {
	const dir = "/run/overlay"
	for _, name := range []string{"lower", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", dir)
	if err := syscall.Mount("overlay", dir+"/merged", "overlay", 0, options); err != nil {
		return fmt.Errorf("cannot mount an overlay file system: %w", err)
	}
	return nil
}

func tryLinks() error {
	for _, link := range []netlink.Link{
		&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "veth-check"}, PeerName: "veth-peer"},
		&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge-check"}},
	} {
		if err := netlink.LinkAdd(link); err != nil {
			return fmt.Errorf("cannot create a %s link: %w", link.Type(), err)
		}
	}
	return nil
}

func tryCgroups() error {
	dirs, err := hierarchies()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		try := filepath.Join(dir, "kube-testbed-check")
		if err := os.Mkdir(try, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return fmt.Errorf("cannot create a cgroup: %w", err)
		}
		if err := os.Remove(try); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
