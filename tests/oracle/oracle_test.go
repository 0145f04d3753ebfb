package oracle

import (
	"flag"
	"io"
	"os"
	"testing"
)

var serve = flag.Bool("serve", false, "read scenarios from stdin and write their traces to stdout")

// Where TestServe writes.
var traces io.Writer

// Serving is a test because only a test may start a bubble. It runs only when asked for, and then alone.
const serving = "^TestServe$"

func TestMain(m *testing.M) {
	flag.Parse()
	tests := "test.skip"
	if *serve {
		tests = "test.run"
		// What the testing package prints must not come between the traces.
		traces, os.Stdout = os.Stdout, os.Stderr
	}
	if err := flag.Set(tests, serving); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestServe(t *testing.T) {
	if err := Serve(t, os.Stdin, traces); err != nil {
		t.Fatal(err)
	}
}
