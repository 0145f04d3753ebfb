package oracle

import (
	"errors"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A question is what the controller asks the metrics APIs for one entry of spec.metrics.
type question struct {
	source    autoscalingv2.MetricSourceType
	name      string
	container string
	object    autoscalingv2.CrossVersionObjectReference
	selector  string
}

// questionOf tells what the controller asks for a metric of a validated HPA.
func questionOf(metric *autoscalingv2.MetricSpec) question {
	asked := question{source: metric.Type}
	switch metric.Type {
	case autoscalingv2.ResourceMetricSourceType:
		asked.name = metric.Resource.Name.String()
	case autoscalingv2.ContainerResourceMetricSourceType:
		asked.name, asked.container = metric.ContainerResource.Name.String(), metric.ContainerResource.Container
	case autoscalingv2.PodsMetricSourceType:
		asked.name, asked.selector = metric.Pods.Metric.Name, selectorText(metric.Pods.Metric.Selector)
	case autoscalingv2.ObjectMetricSourceType:
		asked.name, asked.selector = metric.Object.Metric.Name, selectorText(metric.Object.Metric.Selector)
		asked.object = metric.Object.DescribedObject
	case autoscalingv2.ExternalMetricSourceType:
		asked.name, asked.selector = metric.External.Metric.Name, selectorText(metric.External.Metric.Selector)
	}
	return asked
}

// selectorText is a selector as it reaches the metrics APIs. The controller does not ask with one that it cannot convert.
func selectorText(selector *metav1.LabelSelector) string {
	converted, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return err.Error()
	}
	return converted.String()
}

// questionsOf maps each question of an HPA to the position of its metric.
func questionsOf(metrics []autoscalingv2.MetricSpec) (map[question]int, error) {
	questions := map[question]int{}
	for i := range metrics {
		asked := questionOf(&metrics[i])
		if other, taken := questions[asked]; taken {
			return nil, fmt.Errorf("spec.metrics[%d] asks what spec.metrics[%d] asks", i, other)
		}
		questions[asked] = i
	}
	return questions, nil
}

// checkAnswers fails unless there is one answer of the right kind for each metric.
func checkAnswers(metrics []autoscalingv2.MetricSpec, answers []Answer) error {
	if len(metrics) != len(answers) {
		return fmt.Errorf("metrics: %d answers to the %d metrics of the spec", len(answers), len(metrics))
	}
	for i := range answers {
		if err := answers[i].check(metrics[i].Type); err != nil {
			return fmt.Errorf("metrics[%d]: %w", i, err)
		}
	}
	return nil
}

// The field of an answer that fits each source of metrics.
var fieldOf = map[autoscalingv2.MetricSourceType]string{
	autoscalingv2.ResourceMetricSourceType:          "pods",
	autoscalingv2.ContainerResourceMetricSourceType: "pods",
	autoscalingv2.PodsMetricSourceType:              "pods",
	autoscalingv2.ObjectMetricSourceType:            "value",
	autoscalingv2.ExternalMetricSourceType:          "values",
}

func (a *Answer) check(source autoscalingv2.MetricSourceType) error {
	var given []string
	for name, set := range map[string]bool{
		"error": a.Error != nil, "value": a.Value != nil, "values": a.Values != nil, "pods": a.Pods != nil,
	} {
		if set {
			given = append(given, name)
		}
	}
	if len(given) != 1 {
		return errors.New("not exactly one of error, value, values, pods")
	}
	if given[0] != "error" && given[0] != fieldOf[source] {
		return fmt.Errorf("a metric of type %s has %s, not %s", source, fieldOf[source], given[0])
	}
	return nil
}
