package shortrun_test

import (
	"runtime"
	"testing"

	_ "aws-provider-executor/pkg/shortrun"
)

// first was what a package that imports others saw when it was initialised.
var first = runtime.GOMAXPROCS(0)

func TestOneProcessorFromTheFirst(t *testing.T) {
	if first != 1 {
		t.Errorf("%d processors", first)
	}
}
