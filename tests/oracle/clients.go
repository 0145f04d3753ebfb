package oracle

import (
	"context"
	"errors"
	"fmt"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/scale"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
)

// scales is the scale subresource of the target.
type scales struct{ *cluster }

func (s scales) Scales(string) scale.ScaleInterface { return s }

func (s scales) Get(_ context.Context, _ schema.GroupResource, name string, _ metav1.GetOptions) (*autoscalingv1.Scale, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scaleGet != nil {
		return nil, errors.New(*s.scaleGet)
	}
	current := s.replicas
	if s.statusReplicas != nil {
		current = *s.statusReplicas
	}
	return &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Namespace: hpaNamespace, Name: name},
		Spec:       autoscalingv1.ScaleSpec{Replicas: s.replicas},
		Status:     autoscalingv1.ScaleStatus{Replicas: current, Selector: podSelector},
	}, nil
}

func (s scales) Update(_ context.Context, _ schema.GroupResource, wanted *autoscalingv1.Scale, _ metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.scaleUpdate != nil {
		return nil, errors.New(*s.scaleUpdate)
	}
	s.replicas = wanted.Spec.Replicas
	return wanted.DeepCopy(), nil
}

func (s scales) Patch(context.Context, schema.GroupVersionResource, string, types.PatchType, []byte, metav1.PatchOptions) (*autoscalingv1.Scale, error) {
	return nil, errors.New("the HPA controller does not patch scales")
}

// hpas is the API of HorizontalPodAutoscalers.
type hpas struct{ *cluster }

func (h hpas) HorizontalPodAutoscalers(string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return hpaClient{cluster: h.cluster}
}

// hpaClient has only the call that the controller makes.
type hpaClient struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	*cluster
}

func (h hpaClient) UpdateStatus(_ context.Context, wanted *autoscalingv2.HorizontalPodAutoscaler, _ metav1.UpdateOptions) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	// As the API server does, the spec of the request is left aside: the controller fills in its own.
	return h.replace(func(stored *autoscalingv2.HorizontalPodAutoscaler) {
		wanted.Status.DeepCopyInto(&stored.Status)
	}), nil
}

// eventSink takes every event and keeps none: eventLog has them before client-go leaves any out.
type eventSink struct{ corev1client.EventInterface }

func (eventSink) Events(string) corev1client.EventInterface { return eventSink{} }

func (eventSink) CreateWithEventNamespace(event *corev1.Event) (*corev1.Event, error) {
	return event, nil
}

func (eventSink) PatchWithEventNamespace(event *corev1.Event, _ []byte) (*corev1.Event, error) {
	return event, nil
}

// metricsAPIs answers the controller's questions by the scenario.
type metricsAPIs struct{ *cluster }

var _ metrics.MetricsClient = metricsAPIs{}

func (m metricsAPIs) GetResourceMetric(_ context.Context, resource corev1.ResourceName, _ string, _ labels.Selector, container string) (metrics.PodMetricsInfo, time.Time, error) {
	asked := question{source: autoscalingv2.ResourceMetricSourceType, name: resource.String()}
	if container != "" {
		asked.source, asked.container = autoscalingv2.ContainerResourceMetricSourceType, container
	}
	return m.podMetrics(asked)
}

func (m metricsAPIs) GetRawMetric(name string, _ string, _, metricSelector labels.Selector) (metrics.PodMetricsInfo, time.Time, error) {
	return m.podMetrics(question{
		source: autoscalingv2.PodsMetricSourceType, name: name, selector: metricSelector.String(),
	})
}

func (m metricsAPIs) podMetrics(asked question) (metrics.PodMetricsInfo, time.Time, error) {
	now := time.Now()
	answer, err := m.answer(asked)
	if err != nil {
		return nil, time.Time{}, err
	}
	// A new map each time: the controller changes it.
	found := metrics.PodMetricsInfo{}
	for pod, metric := range *answer.Pods {
		found[pod] = metrics.PodMetric{
			Timestamp: now.Add(-time.Duration(metric.Age)),
			Window:    time.Duration(metric.Window),
			Value:     metric.Value,
		}
	}
	return found, now, nil
}

func (m metricsAPIs) GetObjectMetric(name string, _ string, object *autoscalingv2.CrossVersionObjectReference, metricSelector labels.Selector) (int64, time.Time, error) {
	answer, err := m.answer(question{
		source: autoscalingv2.ObjectMetricSourceType, name: name, object: *object, selector: metricSelector.String(),
	})
	if err != nil {
		return 0, time.Time{}, err
	}
	return *answer.Value, time.Now(), nil
}

func (m metricsAPIs) GetExternalMetric(name string, _ string, selector labels.Selector) ([]int64, time.Time, error) {
	answer, err := m.answer(question{
		source: autoscalingv2.ExternalMetricSourceType, name: name, selector: selector.String(),
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return *answer.Values, time.Now(), nil
}

func (c *cluster) answer(asked question) (*Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	position, known := c.questions[asked]
	if !known {
		c.fault = fmt.Sprintf("the controller asked for %+v, which no metric of the spec means", asked)
		return nil, errors.New(c.fault)
	}
	answer := &c.answers[position]
	if answer.Error != nil {
		return nil, errors.New(*answer.Error)
	}
	return answer, nil
}

// notFound is what a lister says of an HPA that is not the scenario's.
func notFound(name string) error {
	return apierrors.NewNotFound(autoscalingv2.Resource("horizontalpodautoscalers"), name)
}
