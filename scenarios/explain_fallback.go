package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
)

// fallbackRows say when another endpoint is tried. A policy is a function over what
// was tried; each row is what it answers to one history.
func fallbackRows(e pusher.Era) []Row {
	after := func(err error) bool {
		return decide(e, pusher.Attempt{Stage: pusher.StageUpload, Err: err}, "https", pusher.V2) == pusher.Try
	}
	const name = "next endpoint"
	if !after(errors.New("any error")) {
		return []Row{{Name: name, Type: "P-100, P-101", Doc: "where this one did not answer the ping as V2; every later error is final"}}
	}
	var codes []string
	for code := range e.Errors.Codes {
		if after(e.Errors.Codes.New(code, nil)) {
			codes = append(codes, string(code))
		}
	}
	slices.Sort(codes)
	rule, doc := "P-105", "after any error (continueOnError), save a refusal with a code"
	if len(codes) > 0 {
		doc += " other than " + strings.Join(codes, ", ")
	}
	// Later dockers look for another text than the first ones; a full disk is no end then.
	if after(errors.New("no space left on device")) {
		rule = "P-109"
	}
	if text := e.Layers.Retry.FinalText; text != "" && !after(errors.New(text)) {
		doc += fmt.Sprintf(", and %q", text)
	}
	rows := []Row{{Name: name, Type: rule, Doc: doc}}
	reached := pusher.Attempt{Stage: pusher.StageUpload, Err: errors.New("any error"), ConfirmedV2: true, TransportOK: true}
	if speaksV1(e) && decide(e, reached, "https", pusher.V1) == pusher.Skip {
		rows = append(rows, Row{Name: "V1 after V2", Type: "P-106", Doc: "is left out once V2 is confirmed: by the version header or a layer that was taken"})
	}
	if decide(e, reached, "http", pusher.V2) == pusher.Skip {
		rows = append(rows, Row{Name: "http after https", Type: "P-107", Doc: "is left out once https answered"})
	} else {
		rows = append(rows, Row{Name: "http after https", Type: "P-107", Doc: "is tried even where https answered"})
	}
	return rows
}

// decide is what an era's policy says of an endpoint of the host where an attempt failed.
func decide(e pusher.Era, a pusher.Attempt, scheme string, v pusher.Version) pusher.Decision {
	a.Endpoint = pusher.Endpoint{URL: "https://registry.example", Version: pusher.V2}
	return e.Policy([]pusher.Attempt{a}, pusher.Endpoint{URL: scheme + "://registry.example", Version: v})
}

// v1Rows say how V1 is spoken, where it is.
func v1Rows(e pusher.Era) []Row {
	if !speaksV1(e) {
		return nil
	}
	rows := []Row{{Name: "V1", Type: "P-420, P-422", Doc: "image by image, by the IDs of their own JSON"}}
	if e.V1.Lean {
		rows = []Row{{Name: "V1", Type: "P-380", Doc: "layer by layer, each named by the chain below it, the image by its config"}}
	}
	if e.V1.PingsV1Only {
		return append(rows, Row{Name: "V1 ping", Type: "P-162", Doc: "GET /v1/_ping alone"})
	}
	return append(rows, Row{Name: "V1 ping", Type: "P-162", Doc: "GET /v2/ and then /v1/_ping"})
}
