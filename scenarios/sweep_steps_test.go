package scenarios

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/report"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// Requests of another program, whose layers come in any order, are numbered by layer,
// and a fault strikes the layer and not the number.
func TestStepsOfAForeignClientAreOfTheirLayers(t *testing.T) {
	t.Parallel()
	kind, _ := fakeregistry.KindOf("respond")
	known := map[digest.Digest]string{digest1: "layer1", digest2: "layer2"}
	steps := func(layers ...digest.Digest) (list []string, struck []Where) {
		var trace wire.Trace
		for i, d := range append(layers, layers[0]) {
			e := ex("blob.head 404", of(d))
			e.Seq, e.Conn = i+1, 1
			e.Request.Method, e.Request.Target = "HEAD", "/v2/a/b/blobs/"+d.String()
			trace = append(trace, e)
		}
		for _, s := range stepsOf(report.Result{Trace: trace, Names: known}, known) {
			list = append(list, s.String()+" "+s.What)
			struck = append(struck, sweepFault(kind, s).Where)
		}
		return list, struck
	}
	other := digest.FromString("config")
	one, struck := steps(digest1, digest2, other)
	want := []string{"blob.head 1 layer1", "blob.head 2 layer1", "blob.head 3 config", "blob.head 4 layer2"}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("the steps (-want +got):\n%s", diff)
	}
	if struck[3].Digest != "layer2" || struck[2].Digest != "" {
		t.Errorf("struck at %+v", struck)
	}
	two, again := steps(digest2, digest1, other)
	if i := slices.Index(two, "blob.head 1 layer1"); i != 0 || again[i].Digest != "layer1" {
		t.Errorf("in the other order the steps are %q, struck at %+v", two, again)
	}
}
