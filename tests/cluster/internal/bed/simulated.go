package bed

import (
	"context"
	_ "embed"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"kubectl-keda/tests/cluster/internal/layout"
	"kubectl-keda/tests/cluster/internal/supervise"
)

//go:embed stages.yaml
var stages []byte

// simulatedNode is the annotation by which kwok knows the nodes that are its own.
const simulatedNode = "kwok.x-k8s.io/node"

// simulatedPods is where simulated pods get their addresses from; nothing routes them.
const simulatedPods = "10.244.0.1/16"

// simulation is the simulated part of a bed: kwok and its nodes.
type simulation struct {
	layout layout.Layout
	client kubernetes.Interface
	wait   *waiter
	nodes  int
	// address is what the nodes report as theirs.
	address string
	// tainted keeps ordinary pods away, for a bed that has a real node to run them.
	tainted bool
	extra   []string
}

// up starts kwok, registers the nodes, and waits until they are Ready.
func (s *simulation) up(group supervise.Group) error {
	// As configuration of kwok, not as objects: the cluster has none of its CRDs.
	config := s.layout.Path("stages.yaml")
	if err := os.WriteFile(config, stages, 0o600); err != nil {
		return err
	}
	args := []string{"kwok", "--v=WARN", "--kubeconfig=" + s.layout.Kubeconfig("kwok"), "--config=" + config,
		"--manage-all-nodes=false", "--manage-nodes-with-annotation-selector=" + simulatedNode + "=fake",
		// A starved machine must not look like a dead node.
		"--node-lease-duration-seconds=200",
		"--cidr=" + simulatedPods, "--node-ip=" + s.address, "--node-port=0"}
	spec := supervise.Spec{Name: "kwok", Path: s.layout.Exe(), Args: append(args, s.extra...)}
	if err := group.Start(spec); err != nil {
		return err
	}
	for i := range s.nodes {
		if err := s.register(fmt.Sprintf("fake-%d", i)); err != nil {
			return err
		}
	}
	return s.wait.until("simulated nodes", "kwok", func(ctx context.Context) error {
		list, err := s.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: "type=kwok"})
		if err != nil {
			return err
		}
		for _, n := range list.Items {
			if !nodeReady(&n) {
				return fmt.Errorf("node %s is not Ready", n.Name)
			}
		}
		return nil
	})
}

func (s *simulation) register(name string) error {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("1000"), corev1.ResourceMemory: resource.MustParse("4Ti"),
		corev1.ResourcePods: resource.MustParse("10000"), corev1.ResourceEphemeralStorage: resource.MustParse("4Ti"),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: name,
			Labels: map[string]string{corev1.LabelHostname: name, corev1.LabelOSStable: "linux",
				corev1.LabelArchStable: "amd64", "type": "kwok"},
			Annotations: map[string]string{simulatedNode: "fake"},
		},
		Status: corev1.NodeStatus{Capacity: room, Allocatable: room},
	}
	if s.tainted {
		node.Spec.Taints = []corev1.Taint{{Key: simulatedNode, Value: "fake", Effect: corev1.TaintEffectNoSchedule}}
	}
	_, err := s.client.CoreV1().Nodes().Create(s.wait.ctx, node, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// nodeReady tells whether pods can be scheduled: the node-lifecycle controller takes its taint off some time after the
// node reports Ready.
func nodeReady(node *corev1.Node) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == corev1.TaintNodeNotReady {
			return false
		}
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}
