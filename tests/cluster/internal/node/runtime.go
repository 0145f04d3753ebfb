package node

import (
	"context"
	"embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"text/template"

	"kubectl-keda/tests/cluster/internal/image"
	"kubectl-keda/tests/cluster/internal/pki"
	"kubectl-keda/tests/cluster/internal/supervise"
)

//go:embed config
var configs embed.FS

var templates = template.Must(template.ParseFS(configs, "config/*"))

// pauseImage holds the namespaces of every pod.
const pauseImage = "testbed.local/pause:1"

// values are what the configuration files are rendered from.
type values struct {
	// Dir is the node's own directory, Socket containerd's.
	Dir, Socket, Logs, PKI    string
	PauseImage, CNIPlugins    string
	NodeIP, HostIP, PodCIDR   string
	CgroupRoot                string
	DNSKubeconfig, MetricsCA  string
	MetricsPort, DNSReadyPort int
}

func (n *Node) values() values {
	return values{
		Dir: n.Layout.Node(), Socket: n.Layout.Containerd(), Logs: n.Layout.Logs(), PKI: n.Layout.PKI(""),
		PauseImage: pauseImage, CNIPlugins: cniPlugins,
		NodeIP: n.Slot.NodeIP().String(), HostIP: n.Slot.HostIP().String(), PodCIDR: n.Slot.PodCIDR(),
		CgroupRoot: n.Slot.CgroupRoot(), DNSKubeconfig: n.Layout.Kubeconfig("coredns"),
		MetricsPort: metricsPort, DNSReadyPort: dnsReadyPort,
	}
}

// prepare makes the node's directories and cgroups and writes what does not depend on a running part.
func (n *Node) prepare() error {
	for _, dir := range []string{"cni", "kubelet", "pod-logs", "volume-plugins"} {
		if err := os.MkdirAll(n.Layout.Node(dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(n.Layout.Node("slot"), []byte(strconv.Itoa(n.Slot.index)), 0o600); err != nil {
		return err
	}
	if err := n.Slot.createCgroups(); err != nil {
		return fmt.Errorf("cannot create the node's cgroups: %w", err)
	}
	files := map[string]string{
		"containerd.toml": n.Layout.Node("containerd.toml"),
		"bridge.conflist": n.Layout.Node("cni", "10-bridge.conflist"),
		"kubelet.yaml":    n.Layout.Node("kubelet.yaml"),
		"resolv.conf":     n.Layout.Node("resolv.conf"),
		"Corefile":        n.Layout.Node("Corefile"),
	}
	for source, target := range files {
		if err := n.render(source, target, n.values()); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) render(source, target string, data any) error {
	file, err := os.OpenFile(target, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	return templates.ExecuteTemplate(file, source, data)
}

// start runs a component inside the node.
func (n *Node) start(component, path string, args ...string) error {
	return n.inner.Start(supervise.Spec{Name: component, Path: path, Args: append(args, n.Extra[component]...)})
}

func (n *Node) startContainerd(ctx context.Context) error {
	path, err := exec.LookPath("containerd")
	if err != nil {
		return err
	}
	if err := n.start("containerd", path, "--config", n.Layout.Node("containerd.toml"), "--log-level", "warn"); err != nil {
		return err
	}
	err = n.Wait("containerd", "containerd", func(ctx context.Context) error {
		// The version service answers only once every plugin, the one for kubelet included, has started.
		return exec.CommandContext(ctx, "ctr", "--address", n.Layout.Containerd(), "version").Run()
	})
	if err != nil {
		return err
	}
	archive, err := image.Pause(ctx, n.Layout.Bin, pauseImage)
	if err != nil {
		return fmt.Errorf("cannot build the pause image: %w", err)
	}
	return image.Load(ctx, n.Layout.Containerd(), archive)
}

func (n *Node) startKubelet(context.Context) error {
	// The node authorizer and NodeRestriction know a node by this user and group.
	kubeconfig, err := n.kubeconfig("kubelet", pki.Subject{Name: "system:node:" + name, Groups: []string{"system:nodes"}})
	if err != nil {
		return err
	}
	serving := pki.Subject{Name: name, DNS: []string{name}, IPs: []net.IP{n.Slot.NodeIP()}}
	if _, _, err := n.CA.Issue("kubelet-serving", serving); err != nil {
		return err
	}
	return n.start("kubelet", n.Layout.Exe(), "kubelet", n.verbosity(),
		"--config="+n.Layout.Node("kubelet.yaml"), "--kubeconfig="+kubeconfig,
		"--hostname-override="+name, "--node-ip="+n.Slot.NodeIP().String(), "--root-dir="+n.Layout.Node("kubelet"))
}

func (n *Node) startProxy(context.Context) error {
	kubeconfig, err := n.kubeconfig("kube-proxy", pki.Subject{Name: "system:kube-proxy"})
	if err != nil {
		return err
	}
	return n.start("kube-proxy", n.Layout.Exe(), "kube-proxy", n.verbosity(),
		"--kubeconfig="+kubeconfig, "--hostname-override="+name, "--proxy-mode=iptables", "--cluster-cidr="+n.Slot.PodCIDR(),
		// Rules follow a change at once, not up to a second later.
		"--oom-score-adj=0", "--iptables-min-sync-period=0s",
		// These belong to the host's own network namespace, and cannot be set from here.
		"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0")
}

func (n *Node) verbosity() string { return fmt.Sprintf("--v=%d", n.Verbosity) }

// binary is one of the bed's other binaries.
func (n *Node) binary(file string) string { return filepath.Join(n.Layout.Bin, file) }
