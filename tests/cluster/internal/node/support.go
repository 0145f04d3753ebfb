package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"kubectl-keda/tests/cluster/internal/layout"
)

// hidden are the directories that the node sees empty: containerd, kubelet and the CNI library keep state at fixed
// paths below them, which must be neither the host's nor another node's.
var hidden = []string{"/run", "/var/lib", "/var/log"}

// cniPlugins is where Debian's containernetworking-plugins lie.
const cniPlugins = "/usr/lib/cni"

// programs are what the node runs besides the bed's own binaries, and the Debian package of each.
var programs = map[string]string{
	"containerd": "containerd",
	"ctr":        "containerd",
	"runc":       "runc",
	"buildah":    "buildah",
	"iptables":   "iptables",
}

// Supported tells why this host cannot run the node, everything at once; nil if it can.
func Supported(l layout.Layout) error {
	var problems []error
	if os.Geteuid() != 0 {
		problems = append(problems, errors.New("it takes root"))
	}
	missing := map[string]bool{}
	for program, pkg := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing[pkg] = true
		}
	}
	if _, err := os.Stat(filepath.Join(cniPlugins, "bridge")); err != nil {
		missing["containernetworking-plugins"] = true
	}
	for pkg := range missing {
		problems = append(problems, fmt.Errorf("the Debian package %s is not installed", pkg))
	}
	for _, binary := range []string{"coredns", "metrics-server", "pause"} {
		if _, err := os.Stat(filepath.Join(l.Bin, binary)); err != nil {
			problems = append(problems, fmt.Errorf("%s is not built: `cargo xtask cluster up` builds it", binary))
		}
	}
	for _, path := range []string{l.Dir, l.Bin} {
		for _, root := range hidden {
			if strings.HasPrefix(path, root+"/") {
				problems = append(problems, fmt.Errorf("%s lies below %s, which the node does not see: choose another --dir", path, root))
			}
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return tryKernel(l)
}
