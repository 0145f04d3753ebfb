package oracle

import (
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	autoscalinglisters "k8s.io/client-go/listers/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// hpaInformer is the controller's view of HPAs. It has only what the controller calls: a change reaches the controller
// at once, and there are no resyncs, which could only enqueue what is in the queue already.
type hpaInformer struct{ *cluster }

func (i hpaInformer) Informer() cache.SharedIndexInformer {
	return sharedHPAs{cluster: i.cluster}
}

func (i hpaInformer) Lister() autoscalinglisters.HorizontalPodAutoscalerLister {
	return hpaLister{cluster: i.cluster}
}

// podInformer is the controller's view of pods.
type podInformer struct{ *cluster }

func (i podInformer) Informer() cache.SharedIndexInformer {
	return synced{}
}

func (i podInformer) Lister() corelisters.PodLister {
	return podLister{cluster: i.cluster}
}

// synced is an informer whose cache is always filled.
type synced struct{ cache.SharedIndexInformer }

func (synced) HasSynced() bool { return true }

type sharedHPAs struct {
	synced
	*cluster
}

func (i sharedHPAs) AddEventHandlerWithResyncPeriod(handler cache.ResourceEventHandler, _ time.Duration) (cache.ResourceEventHandlerRegistration, error) {
	i.handler = handler
	return nil, nil
}

type hpaLister struct {
	autoscalinglisters.HorizontalPodAutoscalerLister
	*cluster
}

func (l hpaLister) HorizontalPodAutoscalers(string) autoscalinglisters.HorizontalPodAutoscalerNamespaceLister {
	return namespacedHPAs{cluster: l.cluster}
}

type namespacedHPAs struct {
	autoscalinglisters.HorizontalPodAutoscalerNamespaceLister
	*cluster
}

// Get is the first thing that a sync does, and nothing else does it.
func (l namespacedHPAs) Get(name string) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.syncs = append(l.syncs, time.Since(l.start))
	if name != l.hpa.Name {
		return nil, notFound(name)
	}
	return l.hpa, nil
}

type podLister struct {
	corelisters.PodLister
	*cluster
}

func (l podLister) Pods(string) corelisters.PodNamespaceLister {
	return namespacedPods{cluster: l.cluster}
}

type namespacedPods struct {
	corelisters.PodNamespaceLister
	*cluster
}

// List keeps the order of the scenario. A real cache has none: any order is right, and this one is the same every time.
func (l namespacedPods) List(selector labels.Selector) ([]*corev1.Pod, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !selector.Matches(labels.Set(podLabels)) {
		return nil, nil
	}
	return l.pods, nil
}
