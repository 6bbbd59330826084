package fakeregistry_test

import (
	"fmt"
	"net/http"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A registry that misbehaves, in somebody's test.
func ExampleStart() {
	busy, _ := fakeregistry.NewFault("too-many", "upload.start", "retry-after=3s", "times=1")
	registry, err := fakeregistry.Start(fakeregistry.Config{
		Registry: fakeregistry.NewV2(fakeregistry.V2Options{}),
		Faults:   []fakeregistry.Fault{busy},
	})
	if err != nil {
		panic(err)
	}
	defer registry.Close()

	for range 2 { // the client under test pushes to registry.Host()
		resp, _ := http.Post(registry.URL()+"/v2/lib/app/blobs/uploads/", "", nil)
		fmt.Printf("%d %q\n", resp.StatusCode, resp.Header.Get("Retry-After"))
		resp.Body.Close()
	}
	fmt.Println("never struck:", registry.Idle())
	// Output:
	// 429 "3"
	// 202 ""
	// never struck: []
}

// teapot is an effect that is not in the catalogue.
type teapot struct{}

func (teapot) Disturb(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if r.Header.Get("User-Agent") == "coffee" {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	next.ServeHTTP(w, r)
}

// A fault of one's own, at the second manifest.
func ExampleFault() {
	registry, err := fakeregistry.Start(fakeregistry.Config{
		Registry: fakeregistry.NewV2(fakeregistry.V2Options{}),
		Faults: []fakeregistry.Fault{{
			Name:   "teapot",
			On:     fakeregistry.Match{Ops: []fakeregistry.Pattern{{Op: "ping"}}, Header: "User-Agent: coffee"},
			When:   fakeregistry.Trigger{Nth: 2},
			Effect: teapot{},
		}},
	})
	if err != nil {
		panic(err)
	}
	defer registry.Close()

	for range 3 {
		req, _ := http.NewRequest(http.MethodGet, registry.URL()+"/v2/", nil)
		req.Header.Set("User-Agent", "coffee")
		resp, _ := http.DefaultClient.Do(req)
		fmt.Print(resp.StatusCode, " ")
		resp.Body.Close()
	}
	// Output:
	// 200 418 200
}
