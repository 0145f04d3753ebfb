package node

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"

	"kubectl-keda/tests/cluster/internal/pki"
)

const (
	metricsPort  = 4443
	dnsReadyPort = 8181
)

// startAddons runs CoreDNS and metrics-server as processes of the node, and registers both with the cluster.
func (n *Node) startAddons(ctx context.Context) error {
	if err := n.applyAddons(ctx); err != nil {
		return err
	}
	if _, err := n.kubeconfig("coredns", pki.Subject{Name: "coredns"}); err != nil {
		return err
	}
	if err := n.start("coredns", n.binary("coredns"), "-conf", n.Layout.Node("Corefile")); err != nil {
		return err
	}
	if err := n.startMetricsServer(); err != nil {
		return err
	}
	err := n.Wait("CoreDNS", "coredns", func(ctx context.Context) error {
		return answers(ctx, fmt.Sprintf("http://%s:%d/ready", n.Slot.NodeIP(), dnsReadyPort))
	})
	if err != nil {
		return err
	}
	return n.Wait("metrics-server", "metrics-server", func(ctx context.Context) error {
		return n.Client.Discovery().RESTClient().Get().AbsPath("/apis/metrics.k8s.io/v1beta1").Do(ctx).Error()
	})
}

func (n *Node) startMetricsServer() error {
	kubeconfig, err := n.kubeconfig("metrics-server", pki.Subject{Name: "metrics-server"})
	if err != nil {
		return err
	}
	serving := pki.Subject{
		Name: "metrics-server",
		DNS:  []string{"metrics-server.kube-system.svc", "metrics-server.kube-system.svc.cluster.local"},
		IPs:  []net.IP{n.Slot.NodeIP()},
	}
	if _, _, err := n.CA.Issue("metrics-server-serving", serving); err != nil {
		return err
	}
	file := n.Layout.PKI
	return n.start("metrics-server", n.binary("metrics-server"),
		"--kubeconfig="+kubeconfig, "--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
		"--bind-address="+n.Slot.NodeIP().String(), fmt.Sprintf("--secure-port=%d", metricsPort),
		"--tls-cert-file="+file("metrics-server-serving.crt"), "--tls-private-key-file="+file("metrics-server-serving.key"),
		"--kubelet-certificate-authority="+file("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		// The resolution must exceed the time-out. Simulated nodes have no kubelet to ask.
		"--kubelet-request-timeout=5s", "--metric-resolution=10s", "--node-selector=type!=kwok")
}

// applyAddons writes the objects that both need.
func (n *Node) applyAddons(ctx context.Context) error {
	data := n.values()
	data.MetricsCA = base64.StdEncoding.EncodeToString(n.CA.PEM)
	path := n.Layout.Node("addons.yaml")
	if err := n.render("addons.yaml", path, data); err != nil {
		return err
	}
	apply := exec.CommandContext(ctx, n.Layout.Exe(), "kubectl", "apply", "--server-side", "--filename", path)
	apply.Env = append(os.Environ(), "KUBECONFIG="+n.Layout.Kubeconfig("admin"))
	if out, err := apply.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot apply %s: %w\n%s", path, err, out)
	}
	return nil
}
