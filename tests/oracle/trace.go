package oracle

import (
	"errors"
	"fmt"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Trace is what the controller did in a scenario, or why the scenario cannot be run.
type Trace struct {
	Name  string      `json:"name"`
	Error string      `json:"error,omitempty"`
	Steps []TraceStep `json:"steps,omitempty"`
}

// TraceStep is one sync. Times are seconds since the start.
type TraceStep struct {
	T             float64                      `json:"t"`
	Before        int32                        `json:"before"`
	After         int32                        `json:"after"`
	Current       int32                        `json:"current"`
	Desired       int32                        `json:"desired"`
	LastScaleTime *float64                     `json:"lastScaleTime"`
	Conditions    []Condition                  `json:"conditions"`
	Metrics       []autoscalingv2.MetricStatus `json:"metrics"`
	Events        []Event                      `json:"events"`
}

// Condition is one condition of the HPA's status.
type Condition struct {
	Type               autoscalingv2.HorizontalPodAutoscalerConditionType `json:"type"`
	Status             corev1.ConditionStatus                             `json:"status"`
	Reason             string                                             `json:"reason"`
	Message            string                                             `json:"message"`
	LastTransitionTime float64                                            `json:"lastTransitionTime"`
}

// begin starts a period.
func (c *cluster) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.before, c.syncs, c.events = c.replicas, nil, []Event{}
}

// end tells what the period saw, which must be one sync at the given time.
func (c *cluster) end(at time.Duration) (TraceStep, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != "" {
		return TraceStep{}, errors.New(c.fault)
	}
	if len(c.syncs) != 1 || c.syncs[0] != at {
		return TraceStep{}, fmt.Errorf("the controller synced at %v, not once at %v", c.syncs, at)
	}
	status := &c.hpa.Status
	step := TraceStep{
		T:          at.Seconds(),
		Before:     c.before,
		After:      c.replicas,
		Current:    status.CurrentReplicas,
		Desired:    status.DesiredReplicas,
		Conditions: make([]Condition, 0, len(status.Conditions)),
		Metrics:    append([]autoscalingv2.MetricStatus{}, status.CurrentMetrics...),
		Events:     c.events,
	}
	if status.LastScaleTime != nil {
		scaled := c.since(*status.LastScaleTime)
		step.LastScaleTime = &scaled
	}
	for _, condition := range status.Conditions {
		step.Conditions = append(step.Conditions, Condition{
			Type: condition.Type, Status: condition.Status, Reason: condition.Reason, Message: condition.Message,
			LastTransitionTime: c.since(condition.LastTransitionTime),
		})
	}
	return step, nil
}

// since is a time in seconds since the start.
func (c *cluster) since(at metav1.Time) float64 {
	return at.Sub(c.start).Seconds()
}
