package oracle

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

// play runs one scenario, which must be runnable.
func play(t *testing.T, line string) []TraceStep {
	t.Helper()
	trace := playAny(t, line)
	if trace.Error != "" {
		t.Fatal(trace.Error)
	}
	return trace.Steps
}

func playAny(t *testing.T, line string) Trace {
	t.Helper()
	scenario, err := parseScenario([]byte(line))
	if err != nil {
		return Trace{Error: err.Error()}
	}
	if err := SetGates(scenario.Controller.ScaleToZero); err != nil {
		t.Fatal(err)
	}
	return Run(t, scenario)
}

// external is a scenario with one External metric whose target is 10 a pod; the fields are added to those of the
// scenario and of its spec.
func external(fields, spec, steps string) string {
	return fmt.Sprintf(`{"name":"x",%s"spec":{"maxReplicas":100,%s"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"x"},`+
		`"metrics":[{"type":"External","external":{"metric":{"name":"m"},"target":{"type":"AverageValue","averageValue":"10"}}}]},`+
		`"steps":[%s]}`, fields, spec, steps)
}

// total is a step in which the metric has the given sum over all pods.
func total(value int) string {
	return fmt.Sprintf(`{"metrics":[{"values":[%d]}]}`, value*1000)
}

func checkReplicas(t *testing.T, steps []TraceStep, want ...int32) {
	t.Helper()
	var got []int32
	for _, step := range steps {
		got = append(got, step.After)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("replicas after each sync: %v, not %v", got, want)
	}
}

// conditions are a step's, as TYPE=STATUS:REASON.
func conditions(step *TraceStep) string {
	var all []string
	for _, condition := range step.Conditions {
		all = append(all, fmt.Sprintf("%s=%s:%s", condition.Type, condition.Status, condition.Reason))
	}
	return strings.Join(all, " ")
}

func checkConditions(t *testing.T, step *TraceStep, want string) {
	t.Helper()
	if got := conditions(step); got != want {
		t.Errorf("conditions at %v s:\n%s, not\n%s", step.T, got, want)
	}
}

// 1,000 asks for 100 pods; without behavior the replicas at most double, or become four.
func TestScalesUpByTheDefaultLimit(t *testing.T) {
	steps := play(t, external(`"replicas":1,"length":7,`, "", total(1000)))
	checkReplicas(t, steps, 4, 8, 16, 32, 64, 100, 100)
	checkConditions(t, &steps[0], "AbleToScale=True:SucceededRescale ScalingActive=True:ValidMetricFound ScalingLimited=True:ScaleUpLimit")
	checkConditions(t, &steps[6], "AbleToScale=True:ReadyForNewScale ScalingActive=True:ValidMetricFound ScalingLimited=False:DesiredWithinRange")
	want := []Event{{"Normal", "SuccessfulRescale", "New size: 4; reason: external metric m(nil) above target"}}
	if !reflect.DeepEqual(steps[0].Events, want) {
		t.Errorf("events: %v, not %v", steps[0].Events, want)
	}
	if len(steps[6].Events) != 0 || *steps[6].LastScaleTime != 90 {
		t.Errorf("the last sync scaled: %+v", steps[6])
	}
}

// At 15 s four pods are right, then one is: the four count for 60 s, until they are older than that.
func TestStabilizesScaleDown(t *testing.T) {
	steps := play(t, external(
		`"controller":{"downscaleStabilization":60},"replicas":4,"length":7,`, "", total(40)+","+total(10),
	))
	checkReplicas(t, steps, 4, 4, 4, 4, 4, 1, 1)
	checkConditions(t, &steps[1], "AbleToScale=True:ScaleDownStabilized ScalingActive=True:ValidMetricFound ScalingLimited=False:DesiredWithinRange")
}

// Three pods in 30 s: what was added at 15 s no longer counts at 45 s.
func TestKeepsToAPolicy(t *testing.T) {
	behavior := `"behavior":{"scaleUp":{"policies":[{"type":"Pods","value":3,"periodSeconds":30}]}},`
	steps := play(t, external(`"replicas":2,"length":6,`, behavior, total(500)))
	checkReplicas(t, steps, 5, 5, 8, 8, 11, 11)
	checkConditions(t, &steps[1], "AbleToScale=True:ReadyForNewScale ScalingActive=True:ValidMetricFound ScalingLimited=True:ScaleUpLimit")
}

func TestAFailingMetricLeavesTheReplicas(t *testing.T) {
	steps := play(t, external(`"replicas":3,`, "", total(30)+`,{"metrics":[{"error":"no route"}]}`))
	checkReplicas(t, steps, 3, 3)
	checkConditions(t, &steps[1], "AbleToScale=True:SucceededGetScale ScalingActive=False:FailedGetExternalMetric ScalingLimited=False:DesiredWithinRange")
	want := []Event{
		{"Warning", "FailedGetExternalMetric", "unable to get external metric default/m/nil: no route"},
		{"Warning", "FailedComputeMetricsReplicas", "invalid metrics (1 invalid out of 1), first error is: " +
			"failed to get m external metric value: failed to get m external metric: unable to get external metric default/m/nil: no route"},
	}
	if !reflect.DeepEqual(steps[1].Events, want) {
		t.Errorf("events: %v, not %v", steps[1].Events, want)
	}
}

// client-go would drop events after the first 25 of an object, and aggregate similar ones.
func TestNoEventIsDropped(t *testing.T) {
	steps := play(t, external(`"replicas":3,"length":100,`, "", `{"metrics":[{"error":"no route"}]}`))
	for _, step := range steps {
		if len(step.Events) != 2 {
			t.Fatalf("%d events at %v s", len(step.Events), step.T)
		}
	}
}

// Without a stabilization window the single pod of the start counts at 15 s only. At zero, 25 asks for three pods.
func TestScalesToZeroAndBack(t *testing.T) {
	zero := `"controller":{"scaleToZero":true,"downscaleStabilization":0},`
	steps := play(t, external(zero+`"replicas":1,`, `"minReplicas":0,`, strings.Join([]string{total(0), total(0), total(0), total(25)}, ",")))
	checkReplicas(t, steps, 1, 0, 0, 3)
	if got := conditions(&steps[1]); !strings.Contains(got, "ScaledToZero=True:ScaledToZero") {
		t.Errorf("conditions at zero: %s", got)
	}
}

// Zero replicas without the gate: the HPA waits for somebody to raise them.
func TestZeroReplicasDisableScaling(t *testing.T) {
	steps := play(t, external(`"replicas":0,`, "", total(50)+`,{"replicas":1}`))
	checkReplicas(t, steps, 0, 4)
	checkConditions(t, &steps[0], "AbleToScale=True:SucceededGetScale ScalingActive=False:ScalingDisabled")
}

// A spec without metrics means 80 % of the CPU requests: two pods at 200 % want five, and four are allowed.
func TestAppliesTheDefaultsOfTheAPIServer(t *testing.T) {
	pod := func(name string) string {
		return fmt.Sprintf(`{"name":%q,"phase":"Running","startTime":-1000,"ready":{"status":"True","since":-990},`+
			`"containers":[{"name":"app","requests":{"cpu":"100m"}}]}`, name)
	}
	steps := play(t, `{"name":"cpu","replicas":2,"length":2,"spec":{"maxReplicas":9,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"x"}},`+
		`"steps":[{"pods":[`+pod("a")+`,`+pod("b")+`],"metrics":[{"pods":{"a":{"value":150,"age":10,"window":30},"b":{"value":250,"age":10,"window":30}}}]}]}`)
	checkReplicas(t, steps, 4, 5)
	status := steps[0].Metrics[0].Resource
	if status.Name != "cpu" || *status.Current.AverageUtilization != 200 || status.Current.AverageValue.String() != "200m" {
		t.Errorf("status of the metric: %+v", status)
	}
}

// Five sources, each with its own answer; the Pods metric is at twice its target and wins.
func TestAnswersEverySourceOfMetrics(t *testing.T) {
	metrics := []string{
		`{"type":"Resource","resource":{"name":"cpu","target":{"type":"AverageValue","averageValue":"100m"}}}`,
		`{"type":"ContainerResource","containerResource":{"name":"cpu","container":"app","target":{"type":"Utilization","averageUtilization":50}}}`,
		`{"type":"Pods","pods":{"metric":{"name":"rps","selector":{"matchLabels":{"verb":"get"}}},"target":{"type":"AverageValue","averageValue":"2"}}}`,
		`{"type":"Object","object":{"metric":{"name":"rps"},"describedObject":{"apiVersion":"v1","kind":"Service","name":"web"},"target":{"type":"Value","value":"20"}}}`,
		`{"type":"External","external":{"metric":{"name":"rps","selector":{"matchLabels":{"verb":"get"}}},"target":{"type":"Value","value":"7"}}}`,
	}
	answers := []string{
		`{"pods":{"a":{"value":90,"age":10,"window":30}}}`,
		`{"pods":{"a":{"value":55,"age":10,"window":30}}}`,
		`{"pods":{"a":{"value":4000}}}`,
		`{"value":21000}`,
		`{"values":[3000,4000]}`,
	}
	pod := `{"name":"a","phase":"Running","startTime":-1000,"ready":{"status":"True","since":-990},"containers":[{"name":"app","requests":{"cpu":"100m"}}]}`
	steps := play(t, fmt.Sprintf(`{"name":"all","replicas":1,"spec":{"maxReplicas":9,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"x"},"metrics":[%s]},`+
		`"steps":[{"pods":[%s],"metrics":[%s]}]}`, strings.Join(metrics, ","), pod, strings.Join(answers, ",")))
	checkReplicas(t, steps, 2)
	if got := steps[0].Events[0].Message; got != "New size: 2; reason: pods metric rps above target" {
		t.Errorf("event: %s", got)
	}
	status := steps[0].Metrics
	for i, current := range []autoscalingv2.MetricValueStatus{
		status[0].Resource.Current, status[1].ContainerResource.Current, status[2].Pods.Current, status[3].Object.Current, status[4].External.Current,
	} {
		value := current.Value
		if value == nil {
			value = current.AverageValue
		}
		if want := []string{"90m", "55m", "4", "21", "7"}[i]; value.String() != want {
			t.Errorf("value of metric %d: %s, not %s", i, value, want)
		}
	}
}

func TestFollowsAChangeOfTheSpec(t *testing.T) {
	changed := `{"spec":{"maxReplicas":5,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"x"},` +
		`"metrics":[{"type":"External","external":{"metric":{"name":"m"},"target":{"type":"AverageValue","averageValue":"10"}}}]}}`
	steps := play(t, external(`"replicas":8,`, "", total(80)+","+changed))
	checkReplicas(t, steps, 8, 5)
	if got := steps[1].Events[0].Message; got != "New size: 5; reason: Current number of replicas above Spec.MaxReplicas" {
		t.Errorf("event: %s", got)
	}
}

func TestAFailingScaleIsToldUntilItWorks(t *testing.T) {
	steps := play(t, external(`"replicas":2,`, "", `{"metrics":[{"values":[40000]}],"scaleUpdate":"no quota"},{"scaleUpdate":null,"scaleGet":"gone"},{"scaleGet":null}`))
	checkReplicas(t, steps, 2, 2, 4)
	checkConditions(t, &steps[0], "AbleToScale=False:FailedUpdateScale ScalingActive=True:ValidMetricFound ScalingLimited=False:DesiredWithinRange")
	if got := steps[1].Events[0]; got != (Event{"Warning", "FailedGetScale", "gone"}) {
		t.Errorf("event: %v", got)
	}
}

func TestRefusesWhatTheAPIServerRefuses(t *testing.T) {
	for spec, want := range map[string]string{
		`"minReplicas":0,`:   "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1",
		`"minReplicas":200,`: "spec.maxReplicas: Invalid value: 100: must be greater than or equal to `minReplicas`",
		`"behavior":{"scaleUp":{"stabilizationWindowSeconds":3601}},`: "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less than or equal to 3600",
	} {
		if got := playAny(t, external(`"replicas":1,`, spec, total(1))).Error; got != want {
			t.Errorf("%s: %s, not %s", spec, got, want)
		}
	}
}

func TestRefusesScenariosThatMeanNothing(t *testing.T) {
	for line, want := range map[string]string{
		`{"name":`:                                    "unexpected end of JSON input",
		`{"name":"a","replcas":1}`:                    `unknown field "replcas"`,
		`{"name":"a","steps":[]}`:                     "steps: there is none",
		external("", "", `{}`):                        "steps[0].metrics: 0 answers to the 1 metrics of the spec",
		external("", "", `{"metrics":[{"value":1}]}`): "steps[0].metrics[0]: a metric of type External has values, not value",
		external("", "", `{"metrics":[{"values":[1],"error":"x"}]}`):                                "steps[0].metrics[0]: not exactly one of error, value, values, pods",
		external("", "", `{"statusReplicas":-1}`):                                                   "steps[0].statusReplicas: -1 is negative",
		external(`"length":1,`, "", total(1)+","+total(1)):                                          "length: 1 is less than the 2 steps",
		external(`"controller":{"syncPeriod":0.5},`, "", total(1)):                                  "controller.syncPeriod: 0.5 s is less than a second",
		external(`"controller":{"syncPeriod":2e9},`, "", total(1)):                                  "2e+09 s is more than 1e+09",
		external("", "", `{"pods":[{"name":"a"},{"name":"a"}]}`):                                    `steps[0].pods: name "a" is empty or given twice`,
		strings.Replace(external("", "", total(1)), `"metrics":[`, `"metrics":[`+sameMetric+",", 1): "steps[0]: spec.metrics[1] asks what spec.metrics[0] asks",
	} {
		if got := playAny(t, line).Error; got != want {
			t.Errorf("%s: %s, not %s", line, got, want)
		}
	}
}

const sameMetric = `{"type":"External","external":{"metric":{"name":"m"},"target":{"type":"Value","value":"1"}}}`

func TestAPeriodHasOneSync(t *testing.T) {
	c := &cluster{}
	c.begin()
	if _, err := c.end(1); err == nil || err.Error() != "the controller synced at [], not once at 1ns" {
		t.Errorf("no sync: %v", err)
	}
}
