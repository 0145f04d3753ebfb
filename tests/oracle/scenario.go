package oracle

import (
	"errors"
	"fmt"
	"math"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
)

// A Scenario is the world of one HPA over a number of syncs. README.md describes its JSON.
type Scenario struct {
	Name       string                                    `json:"name"`
	Controller Controller                                `json:"controller"`
	Spec       autoscalingv2.HorizontalPodAutoscalerSpec `json:"spec"`
	Replicas   int32                                     `json:"replicas"`
	Steps      []Step                                    `json:"steps"`
	Length     int                                       `json:"length"`
}

// Controller holds the flags of kube-controller-manager that concern the HPA.
type Controller struct {
	SyncPeriod              seconds `json:"syncPeriod"`
	Tolerance               float64 `json:"tolerance"`
	DownscaleStabilization  seconds `json:"downscaleStabilization"`
	CPUInitializationPeriod seconds `json:"cpuInitializationPeriod"`
	InitialReadinessDelay   seconds `json:"initialReadinessDelay"`
	ScaleToZero             bool    `json:"scaleToZero"`
}

// Step is what changes just before one sync; what is absent stays as it was.
type Step struct {
	Spec           *autoscalingv2.HorizontalPodAutoscalerSpec `json:"spec"`
	Replicas       *int32                                     `json:"replicas"`
	StatusReplicas nullable[int32]                            `json:"statusReplicas"`
	ScaleGet       nullable[string]                           `json:"scaleGet"`
	ScaleUpdate    nullable[string]                           `json:"scaleUpdate"`
	Pods           *[]Pod                                     `json:"pods"`
	Metrics        *[]Answer                                  `json:"metrics"`
}

// Pod is what the HPA looks at in a pod.
type Pod struct {
	Name       string          `json:"name"`
	Phase      corev1.PodPhase `json:"phase"`
	Deleted    bool            `json:"deleted"`
	StartTime  *seconds        `json:"startTime"`
	Ready      *Ready          `json:"ready"`
	Containers []Container     `json:"containers"`
}

// Ready is a pod's Ready condition.
type Ready struct {
	Status corev1.ConditionStatus `json:"status"`
	Since  seconds                `json:"since"`
}

// Container is one container of a pod.
type Container struct {
	Name     string              `json:"name"`
	Requests corev1.ResourceList `json:"requests"`
}

// Answer is what the metrics APIs say about one entry of spec.metrics. Exactly one field is set.
type Answer struct {
	Error  *string               `json:"error"`
	Value  *int64                `json:"value"`
	Values *[]int64              `json:"values"`
	Pods   *map[string]PodMetric `json:"pods"`
}

// PodMetric is the metric of one pod: its value in thousandths, how old it is, and over what time it was taken.
type PodMetric struct {
	Value  int64   `json:"value"`
	Age    seconds `json:"age"`
	Window seconds `json:"window"`
}

// The longest scenario: a month at the default period, whose trace takes a gigabyte of memory.
const mostSyncs = 31 * 24 * 60 * 4

// parseScenario reads one line. Unknown fields are mistakes.
func parseScenario(line []byte) (*Scenario, error) {
	scenario := &Scenario{Controller: Controller{
		SyncPeriod:              seconds(15 * time.Second),
		Tolerance:               0.1,
		DownscaleStabilization:  seconds(5 * time.Minute),
		CPUInitializationPeriod: seconds(5 * time.Minute),
		InitialReadinessDelay:   seconds(30 * time.Second),
	}}
	if err := unmarshal(line, scenario); err != nil {
		return scenario, err
	}
	if scenario.Length == 0 {
		scenario.Length = len(scenario.Steps)
	}
	return scenario, scenario.check()
}

func (s *Scenario) check() error {
	switch {
	case len(s.Steps) == 0:
		return errors.New("steps: there is none")
	case s.Length < 1 || s.Length > mostSyncs:
		return fmt.Errorf("length: %d is not from 1 to %d", s.Length, mostSyncs)
	case s.Length < len(s.Steps):
		return fmt.Errorf("length: %d is less than the %d steps", s.Length, len(s.Steps))
	case s.Controller.SyncPeriod < seconds(time.Second):
		return fmt.Errorf("controller.syncPeriod: %v s is less than a second", s.Controller.SyncPeriod.float())
	case s.Replicas < 0:
		return fmt.Errorf("replicas: %d is negative", s.Replicas)
	}
	for k, step := range s.Steps {
		if err := step.check(); err != nil {
			return fmt.Errorf("steps[%d].%w", k, err)
		}
	}
	return nil
}

func (s *Step) check() error {
	if s.Replicas != nil && *s.Replicas < 0 {
		return fmt.Errorf("replicas: %d is negative", *s.Replicas)
	}
	if s.StatusReplicas.value != nil && *s.StatusReplicas.value < 0 {
		return fmt.Errorf("statusReplicas: %d is negative", *s.StatusReplicas.value)
	}
	if s.Pods == nil {
		return nil
	}
	names := map[string]bool{}
	for _, pod := range *s.Pods {
		if pod.Name == "" || names[pod.Name] {
			return fmt.Errorf("pods: name %q is empty or given twice", pod.Name)
		}
		names[pod.Name] = true
	}
	return nil
}

// seconds is a JSON number of seconds, exact to the millisecond.
type seconds time.Duration

// The longest time on which the controller's arithmetic cannot overflow.
const mostSeconds = 1e9

func (s *seconds) UnmarshalJSON(text []byte) error {
	var number float64
	if err := kjson.UnmarshalCaseSensitivePreserveInts(text, &number); err != nil {
		return err
	}
	if math.Abs(number) > mostSeconds {
		return fmt.Errorf("%v s is more than %v", number, mostSeconds)
	}
	*s = seconds(time.Duration(math.Round(number*1000)) * time.Millisecond)
	return nil
}

func (s seconds) float() float64 {
	return time.Duration(s).Seconds()
}

// nullable tells a field that is null, which ends what it said before, from one that is absent.
type nullable[T any] struct {
	given bool
	value *T
}

func (n *nullable[T]) UnmarshalJSON(text []byte) error {
	n.given = true
	return unmarshal(text, &n.value)
}

// unmarshal reads JSON as an API server does with strict validation: names have their case, and unknown ones are errors.
func unmarshal(text []byte, into any) error {
	strict, err := kjson.UnmarshalStrict(text, into)
	if err != nil {
		return err
	}
	if len(strict) > 0 {
		return strict[0]
	}
	return nil
}
