// Package node runs one real node of a test bed: containerd, kubelet and kube-proxy, with CoreDNS and metrics-server
// beside them, in mount, network and pid namespaces of their own.
//
//	host:  kube-apiserver ── ktbN (10.213.N.1) ──┐
//	node:  eth0 (10.213.N.2) ── kube-proxy's rules ── bridge cni0 ── pods (10.214.N.0/24)
//
// The host routes pods and cluster IPs to the node, so that processes of the host and pods reach each other. Because
// mounts, links, firewall rules and processes belong to the namespaces, the kernel removes them when the first
// process of the node ends, however it ends. What is left to sweep is the cgroup and files.
package node

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/pki"
	"kubectl-keda/tests/cluster/internal/supervise"
)

// name is the node's name in the cluster.
const name = "real-0"

// Node is everything that bringing the node up takes.
type Node struct {
	Layout layout.Layout
	Slot   *Slot
	CA     *pki.CA
	Client kubernetes.Interface
	// Outer is the group of the bed, in which the node's first process is one component.
	Outer *supervise.Local
	// Server is the URL of the API server as the node reaches it.
	Server    string
	Verbosity int
	// Extra holds arguments added to a component's own.
	Extra map[string][]string
	// Wait polls a condition; see the bed's waiter.
	Wait            func(step, component string, check func(context.Context) error) error
	WriteKubeconfig func(path, server string, ca []byte, user *clientcmdapi.AuthInfo) error

	inner *supervise.Client
}

// State describes a running node.
type State struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// HostAddress is where the node's pods reach processes of the host.
	HostAddress string `json:"hostAddress"`
	PodCIDR     string `json:"podCIDR"`
	ServiceCIDR string `json:"serviceCIDR"`
	// Containerd is the socket that `ctr --address` takes.
	Containerd string `json:"containerd"`
	// PID is the node's first process: `nsenter --target PID --all` enters the node.
	PID int `json:"pid"`
}

// Up starts the node and waits until it is Ready and its add-ons answer.
func (n *Node) Up(ctx context.Context) (*State, error) {
	n.inner = supervise.Dial(n.Layout.NodeControl())
	if err := n.prepare(); err != nil {
		return nil, err
	}
	if err := n.enter(); err != nil {
		return nil, err
	}
	for _, start := range []func(context.Context) error{n.startContainerd, n.startKubelet, n.startProxy, n.startAddons} {
		if err := start(ctx); err != nil {
			return nil, err
		}
	}
	if err := n.Wait("real node", "kubelet", n.ready); err != nil {
		return nil, err
	}
	return &State{
		Name: name, Address: n.Slot.NodeIP().String(), HostAddress: n.Slot.HostIP().String(),
		PodCIDR: n.Slot.PodCIDR(), ServiceCIDR: n.Slot.ServiceCIDR(), Containerd: n.Layout.Containerd(),
		PID: n.Outer.PID("node"),
	}, nil
}

// enter starts the node's first process and links it to the host.
func (n *Node) enter() error {
	err := n.Outer.Start(supervise.Spec{
		Name: "node", Path: n.Layout.Exe(), Args: []string{"node-init", n.Layout.Dir, strconv.Itoa(n.Slot.index)}, Isolated: true,
	})
	if err != nil {
		return err
	}
	if err := n.Slot.connect(n.Outer.PID("node")); err != nil {
		return fmt.Errorf("cannot link the node to the host: %w", err)
	}
	return n.Wait("node namespaces", "node", func(context.Context) error {
		_, err := n.inner.List()
		return err
	})
}

func (n *Node) ready(ctx context.Context) error {
	node, err := n.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady {
			return fmt.Errorf("node %s is still tainted as not ready", name)
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		} else if condition.Type == corev1.NodeReady {
			return fmt.Errorf("node %s is not Ready: %s", name, condition.Message)
		}
	}
	return fmt.Errorf("node %s has not reported yet", name)
}

// kubeconfig issues a client certificate for a component of the node and writes its kubeconfig.
func (n *Node) kubeconfig(identity string, subject pki.Subject) (string, error) {
	crt, key, err := n.CA.Issue(identity, subject)
	if err != nil {
		return "", err
	}
	path := n.Layout.Kubeconfig(identity)
	user := &clientcmdapi.AuthInfo{ClientCertificateData: crt, ClientKeyData: key}
	return path, n.WriteKubeconfig(path, n.Server, n.CA.PEM, user)
}

// answers checks a plain HTTP health endpoint.
func answers(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
