package pusher_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

func ExampleClient_Push() {
	registry := httptest.NewServer(newRegistry()) // any registry will do
	defer registry.Close()
	dir, _ := os.MkdirTemp("", "images-")
	defer os.RemoveAll(dir)
	images, _ := image.Open(dir)
	defer images.Close()
	layers, _ := images.Make(context.Background(), image.Recipe{Layers: []int64{1000}})
	name := strings.TrimPrefix(registry.URL, "http://") + "/demo"
	_ = images.Tag(name, "latest", layers[0])

	client, err := pusher.New(pusher.Config{Era: pusher.Docker18(), Images: images})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := client.Push(context.Background(), name, "latest", pusher.Options{
		Progress: func(e pusher.Event) {
			if e.Action && e.Total == 0 {
				fmt.Println(e.Status)
			}
		},
	})
	fmt.Println(result.Via, result.Published[0].Tag, err)
	// Output:
	// Buffering to Disk
	// Image successfully pushed
	// v2 latest <nil>
}

func ExampleDocker18() {
	era := pusher.Docker18()
	fmt.Println(era.Name, "pings for", era.PingTimeout, "and tries")
	for _, e := range era.Endpoints {
		fmt.Println(e.Version, "over", e.Scheme)
	}
	// Output:
	// docker-1.8 pings for 5s and tries
	// v2 over https
	// v2 over http
	// v1 over https
	// v1 over http
}
