// Package oracle runs Kubernetes' own HPA controller through scenarios in virtual time and writes down every sync.
//
//	scenario ──> admit: the API server's defaults and validation ──> Step by step, in a bubble of testing/synctest:
//
//	              cluster: HPA, scale, pods, metrics  <──>  HorizontalController  ──> Trace: a TraceStep a sync
package oracle

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/monitor"
)

func init() {
	// By default each error is printed and then waited for: the wait is measured from another one's, which may be
	// on another clock. A panic goes to the log, where the trace finds it, and not on to end the other scenarios.
	utilruntime.ErrorHandlers = nil
	utilruntime.ReallyCrash = false
	// Outside of any bubble, since all share them.
	monitor.Register()
}

// Run runs a scenario. The feature gates must be set for it.
func Run(t *testing.T, scenario *Scenario) Trace {
	admitted, err := scenario.admit()
	if err != nil {
		return Trace{Name: scenario.Name, Error: err.Error()}
	}
	var trace Trace
	synctest.Test(t, func(*testing.T) {
		trace = scenario.replay(admitted)
	})
	return trace
}

// revisions are the HPA as the API server stores it at the start, and as it does after each step that changes it.
type revisions struct {
	created *autoscalingv2.HorizontalPodAutoscaler
	changed []*autoscalingv2.HorizontalPodAutoscaler
}

// admit passes every spec through the API server's checks, and checks that each step answers the metrics of its spec.
func (s *Scenario) admit() (*revisions, error) {
	created, err := admit(&s.Spec, nil)
	if err != nil {
		return nil, err
	}
	all := &revisions{created: created, changed: make([]*autoscalingv2.HorizontalPodAutoscaler, len(s.Steps))}
	current := created
	var answers []Answer
	for k := range s.Steps {
		step := &s.Steps[k]
		if step.Spec != nil {
			if current, err = admit(step.Spec, current); err != nil {
				return nil, fmt.Errorf("steps[%d]: %w", k, err)
			}
			all.changed[k] = current
		}
		if step.Metrics != nil {
			answers = *step.Metrics
		}
		if _, err := questionsOf(current.Spec.Metrics); err != nil {
			return nil, fmt.Errorf("steps[%d]: %w", k, err)
		}
		if err := checkAnswers(current.Spec.Metrics, answers); err != nil {
			return nil, fmt.Errorf("steps[%d].%w", k, err)
		}
	}
	return all, nil
}

// targets maps every target that the HPA has had to its scale subresource.
func (r *revisions) targets() meta.RESTMapper {
	kinds := []schema.GroupVersionKind{}
	versions := []schema.GroupVersion{}
	for _, hpa := range append(r.changed, r.created) {
		if hpa != nil {
			target := hpa.Spec.ScaleTargetRef
			kind := schema.FromAPIVersionAndKind(target.APIVersion, target.Kind)
			kinds, versions = append(kinds, kind), append(versions, kind.GroupVersion())
		}
	}
	mapper := meta.NewDefaultRESTMapper(versions)
	for _, kind := range kinds {
		mapper.Add(kind, meta.RESTScopeNamespace)
	}
	return mapper
}

// replay runs inside the bubble. The world changes half a period before each sync and is read half a period after it,
// so that neither races with it.
func (s *Scenario) replay(hpa *revisions) Trace {
	ctx, cancel := context.WithCancel(context.Background())
	// The bubble waits for every goroutine that this ends.
	defer cancel()
	c := &cluster{start: time.Now(), replicas: s.Replicas}
	ctx = klog.NewContext(ctx, logr.New(eventLog{c}))
	controller := s.controller(ctx, c, hpa.targets())
	c.add(hpa.created)
	go controller.Run(ctx, 1)

	period := time.Duration(s.Controller.SyncPeriod)
	trace := Trace{Name: s.Name, Steps: make([]TraceStep, 0, s.Length)}
	time.Sleep(period / 2)
	for k := range s.Length {
		if k < len(s.Steps) {
			c.enter(&s.Steps[k], hpa.changed[k])
		}
		c.begin()
		time.Sleep(period)
		synctest.Wait()
		step, err := c.end(time.Duration(k+1) * period)
		if err != nil {
			return Trace{Name: s.Name, Error: fmt.Sprintf("sync %d: %v", k, err)}
		}
		trace.Steps = append(trace.Steps, step)
	}
	return trace
}

func (s *Scenario) controller(ctx context.Context, c *cluster, mapper meta.RESTMapper) *podautoscaler.HorizontalController {
	flags := &s.Controller
	return podautoscaler.NewHorizontalController(
		ctx, eventSink{}, scales{c}, hpas{c}, mapper, metricsAPIs{c}, hpaInformer{c}, podInformer{c},
		time.Duration(flags.SyncPeriod),
		time.Duration(flags.DownscaleStabilization),
		flags.Tolerance,
		time.Duration(flags.CPUInitializationPeriod),
		time.Duration(flags.InitialReadinessDelay),
	)
}
