// Package layout knows where each file of a test bed lies.
package layout

import (
	"fmt"
	"os"
	"path/filepath"
)

// maxDir keeps the unix sockets below a bed's directory within the 107 bytes that the kernel allows.
const maxDir = 80

// Layout is the directory of one bed; all paths are absolute.
type Layout struct {
	// Dir is the bed's state directory.
	Dir string
	// Bin is the directory of this executable, where the other binaries of the bed lie too.
	Bin string
}

// New returns the layout of a state directory.
func New(dir string) (Layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, err
	}
	if len(abs) > maxDir {
		return Layout{}, fmt.Errorf("the state directory %s is longer than the %d bytes that unix sockets leave room for: choose a shorter one with --dir", abs, maxDir)
	}
	exe, err := os.Executable()
	if err != nil {
		return Layout{}, err
	}
	return Layout{Dir: abs, Bin: filepath.Dir(exe)}, nil
}

// Path joins names to the state directory.
func (l Layout) Path(names ...string) string {
	return filepath.Join(append([]string{l.Dir}, names...)...)
}

// PKI is a file among the certificates.
func (l Layout) PKI(file string) string { return l.Path("pki", file) }

// Logs is the directory of the components' logs, the one thing that outlives the bed.
func (l Layout) Logs() string { return l.Path("logs") }

// Log is the log of one component.
func (l Layout) Log(component string) string { return l.Path("logs", component+".log") }

// Kubeconfig is the kubeconfig of one identity; "admin" is the user's.
func (l Layout) Kubeconfig(identity string) string { return l.Path(identity + ".kubeconfig") }

// State is the JSON file that describes a bed that is ready.
func (l Layout) State() string { return l.Path("state.json") }

// Lock is held by the supervisor for as long as it lives.
func (l Layout) Lock() string { return l.Path("lock") }

// Control is the socket on which the supervisor answers.
func (l Layout) Control() string { return l.Path("control.sock") }

// NodeControl is the socket on which the supervisor inside the real node's namespaces answers.
func (l Layout) NodeControl() string { return l.Path("node.sock") }

// Containerd is the socket of the real node's containerd.
func (l Layout) Containerd() string { return l.Path("containerd.sock") }

// Node is a file or directory of the real node.
func (l Layout) Node(names ...string) string { return l.Path(append([]string{"node"}, names...)...) }

// Exe is this executable, which is every component of Kubernetes too.
func (l Layout) Exe() string { return filepath.Join(l.Bin, "kube-testbed") }
