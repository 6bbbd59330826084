package scenarios

import (
	"net/http"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// orneryWitnesses are those of scenarios about registries that are lawful and
// difficult: what is expected there is not seen where the registry is easy, or where
// the pusher does not cope.
var orneryWitnesses = map[string][]witness{
	"ornery/relative-location": {even, answers(wire.OpUploadPut, http.StatusNotFound, false)},
	"ornery/session-query":     {even, answers(wire.OpUploadPut, http.StatusBadRequest, false)},
	"ornery/session-elsewhere": {even, answers(wire.OpUploadPut, http.StatusNotFound, false)},
	"ornery/redirected-blobs":  {even, answers(wire.OpBlobHead, http.StatusNotFound, false)},
	"ornery/min-chunk":         {even, answers(wire.OpUploadPut, http.StatusRequestedRangeNotSatisfiable, false)},
	"ornery/no-mount":          {even, answers(wire.OpUploadMount, http.StatusCreated, false)},
	"ornery/no-single-post":    {wholePost},
	"ornery/extra-fields":      {even, answers(wire.OpManifestPut, http.StatusCreated, false)},
	"ornery/shuffled-errors":   {even, answers(wire.OpManifestPut, http.StatusCreated, false)},
	"ornery/header-case":       {answers(wire.OpUploadStart, http.StatusAccepted, false)}, // a Location that nobody sees
	"ornery/no-length":         {even, answers(wire.OpManifestPut, http.StatusCreated, false)},
	"ornery/closing/kept":      {even},
	"ornery/closing/each":      {repeated("manifest.put"), withoutFaults},
	"ornery/latency":           {even},
	"ornery/throttle":          {even},
}

// even is a registry that is as lawful and not difficult.
var even = scenario("the registry is not ornery", func(s *Scenario) {
	for i := range s.Registries {
		s.Registries[i].Ornery, s.Registries[i].Quirks = nil, nil
	}
})

// wholePost is a pusher that sends a blob with its POST.
var wholePost = witness{what: "the pusher sends a blob with its first POST", changes: changes{trace: func(trace wire.Trace) wire.Trace {
	trace = append(wire.Trace(nil), trace...)
	for i := range trace {
		if trace[i].Route.Op == wire.OpUploadStart && trace[i].Response.Status != 0 {
			trace[i].Request.Body.Length = 8 << 10
			break
		}
	}
	return trace
}}}
