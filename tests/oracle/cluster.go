package oracle

import (
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// Where the HPA is, as messages name it.
const (
	hpaNamespace = "default"
	hpaName      = "hpa"
)

// podLabels are what every pod has; podSelector is what the target's scale selects by.
var podLabels = map[string]string{"app": "x"}

const podSelector = "app=x"

// cluster is everything that the controller sees: one HPA, its target's scale, pods and metrics.
type cluster struct {
	start time.Time

	mu      sync.Mutex
	hpa     *autoscalingv2.HorizontalPodAutoscaler
	handler cache.ResourceEventHandler

	replicas       int32
	statusReplicas *int32
	scaleGet       *string
	scaleUpdate    *string
	pods           []*corev1.Pod
	questions      map[question]int
	answers        []Answer

	// What the period has seen so far.
	before int32
	syncs  []time.Duration
	events []Event
	// What must not happen; it makes the trace an error.
	fault string
}

// add creates the HPA.
func (c *cluster) add(hpa *autoscalingv2.HorizontalPodAutoscaler) {
	c.mu.Lock()
	c.hpa = hpa
	c.questions, _ = questionsOf(hpa.Spec.Metrics)
	c.mu.Unlock()
	c.handler.OnAdd(hpa, true)
}

// enter makes the changes of a step; hpa is its admitted spec, if it has one.
func (c *cluster) enter(step *Step, hpa *autoscalingv2.HorizontalPodAutoscaler) {
	c.mu.Lock()
	if step.Replicas != nil {
		c.replicas = *step.Replicas
	}
	if step.StatusReplicas.given {
		c.statusReplicas = step.StatusReplicas.value
	}
	if step.ScaleGet.given {
		c.scaleGet = step.ScaleGet.value
	}
	if step.ScaleUpdate.given {
		c.scaleUpdate = step.ScaleUpdate.value
	}
	if step.Pods != nil {
		c.pods = nil
		for i := range *step.Pods {
			c.pods = append(c.pods, (*step.Pods)[i].object(c.start))
		}
	}
	if step.Metrics != nil {
		c.answers = *step.Metrics
	}
	c.mu.Unlock()
	if hpa != nil {
		c.replace(func(stored *autoscalingv2.HorizontalPodAutoscaler) { stored.Spec = hpa.Spec })
	}
}

// replace stores a changed HPA and tells the controller.
func (c *cluster) replace(change func(*autoscalingv2.HorizontalPodAutoscaler)) *autoscalingv2.HorizontalPodAutoscaler {
	c.mu.Lock()
	old := c.hpa
	changed := old.DeepCopy()
	change(changed)
	c.hpa = changed
	c.questions, _ = questionsOf(changed.Spec.Metrics)
	c.mu.Unlock()
	c.handler.OnUpdate(old, changed)
	return changed
}

// object is the pod as the API server has it.
func (p *Pod) object(start time.Time) *corev1.Pod {
	at := func(since seconds) metav1.Time { return metav1.NewTime(start.Add(time.Duration(since))) }
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: hpaNamespace, Name: p.Name, Labels: podLabels},
		Status:     corev1.PodStatus{Phase: p.Phase},
	}
	for _, container := range p.Containers {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{
			Name:      container.Name,
			Resources: corev1.ResourceRequirements{Requests: container.Requests},
		})
	}
	if p.Deleted {
		deleted := at(0)
		pod.DeletionTimestamp = &deleted
	}
	if p.StartTime != nil {
		started := at(*p.StartTime)
		pod.Status.StartTime = &started
	}
	if p.Ready != nil {
		pod.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodReady, Status: p.Ready.Status, LastTransitionTime: at(p.Ready.Since),
		}}
	}
	return pod
}
