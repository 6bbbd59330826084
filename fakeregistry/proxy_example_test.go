package fakeregistry_test

import (
	"fmt"
	"io"
	"net/http"

	"github.com/pushcheck/pushcheck/fakeregistry"
)

// A registry of somebody else's gets a fault in front of it: its own tests, or any
// client, use the proxy's address.
func ExampleProxy() {
	theirs, err := fakeregistry.Start(fakeregistry.Config{Registry: fakeregistry.NewV2(fakeregistry.V2Options{})})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer theirs.Close()

	proxy, err := fakeregistry.NewProxy(fakeregistry.ProxyOptions{Upstream: theirs.URL()})
	if err != nil {
		fmt.Println(err)
		return
	}
	kind, _ := fakeregistry.KindOf("too-many")
	effect, err := kind.Make(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	once := fakeregistry.Fault{Name: kind.Name, Effect: effect, When: fakeregistry.Trigger{Times: 1}}
	front, err := fakeregistry.Start(fakeregistry.Config{Registry: proxy, Faults: []fakeregistry.Fault{once}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer front.Close() // and with it the proxy

	for range 2 {
		resp, err := http.Get(front.URL() + "/v2/")
		if err != nil {
			fmt.Println(err)
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 429 Too Many Requests
	// 200 OK
}
