package image_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/pushcheck/pushcheck/pusher/image"
)

// An archive that docker 1.8.3 saved.
func ExampleStore_Load() {
	store := image.InMemory()
	loaded, err := store.Load(context.Background(), filepath.Join("testdata", "docker-1.8.3", "app.tar"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, img := range loaded {
		fmt.Println(img.Name, img.Image[:12])
	}
	for layer, err := range store.Chain(loaded[1].Image) {
		fmt.Println(layer.ID[:12], layer.Size, err)
	}
	// Output:
	// lib/app:env e3e3e3e3e3e3
	// lib/app:latest a4a4a4a4a4a4
	// lib/app:two d3d3d3d3d3d3
	// a4a4a4a4a4a4 9728 <nil>
	// e3e3e3e3e3e3 1024 <nil>
	// 525252525252 5120 <nil>
	// b1b1b1b1b1b1 1050624 <nil>
}

// An image out of nothing: the same bytes on every machine, and no disk for them.
func ExampleStore_Make() {
	store := image.InMemory()
	ids, err := store.Make(context.Background(), image.Recipe{Layers: []int64{64 << 10, 0}, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range ids {
		tar, err := store.OpenTar(id)
		if err != nil {
			fmt.Println(err)
			return
		}
		n, err := io.Copy(io.Discard, tar)
		fmt.Println(id[:12], n, err, tar.Close())
	}
	// Output:
	// 253ee3609ff7 67072 <nil> <nil>
	// 8b0da01f345f 1024 <nil> <nil>
}
