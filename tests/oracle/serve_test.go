package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// The gate is the process's, and scenarios run side by side: each must have run with its own gate, and the traces come
// in the order of the scenarios.
func TestServesInOrderWithEachScenariosGate(t *testing.T) {
	var input strings.Builder
	const count = 60
	for i := range count {
		if i%7 == 0 {
			fmt.Fprintf(&input, "{\"name\":\"%d\",\"steps\":1}\n\n", i)
			continue
		}
		line := external(fmt.Sprintf(`"controller":{"scaleToZero":%t},"replicas":1,`, i%3 == 0), `"minReplicas":0,`, total(10))
		fmt.Fprintln(&input, strings.Replace(line, `"x"`, fmt.Sprintf(`"%d"`, i), 1))
	}
	var output bytes.Buffer
	if err := Serve(t, strings.NewReader(input.String()), &output); err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(&output)
	for i := range count {
		var trace Trace
		if err := decoder.Decode(&trace); err != nil {
			t.Fatalf("trace %d: %v", i, err)
		}
		runnable := i%7 != 0 && i%3 == 0
		if trace.Name != fmt.Sprint(i) || (trace.Error == "") != runnable {
			t.Errorf("trace %d: %s %s", i, trace.Name, trace.Error)
		}
	}
}

func TestAScenarioLeavesNothingRunning(t *testing.T) {
	line := external(`"replicas":1,"length":3,`, "", total(1000))
	first := play(t, line)
	before := runtime.NumGoroutine()
	for range 50 {
		if again := play(t, line); !reflect.DeepEqual(again, first) {
			t.Fatalf("the same scenario has another trace:\n%+v\n%+v", first, again)
		}
	}
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

// The first two JSON blocks of README.md are a scenario and its trace.
func TestTheExampleOfTheReadmeIsTrue(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(blocks) < 2 {
		t.Fatalf("README.md has %d JSON blocks", len(blocks))
	}
	var scenario bytes.Buffer
	if err := json.Compact(&scenario, blocks[0][1]); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	if err := Serve(t, &scenario, &output); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(output.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(blocks[1][1], &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the trace of the example is\n%s", output.String())
	}
}
