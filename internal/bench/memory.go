package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// measureMemory is what a large layer costs: in the pusher and the fake together,
// which stream it, and in a fake that keeps it in memory.
func measureMemory(ctx context.Context, t *table) error {
	const mib = 1 << 20
	peak := map[int64]int64{}
	for _, size := range []int64{4 << 10, 1 << 30, 2 << 30} {
		bytes, err := child(ctx, "push", size)
		if err != nil {
			return err
		}
		peak[size] = bytes
	}
	t.figure("peak memory, a layer of 2 GiB to fake", mb(peak[2<<30]), "", "", "< 64 MiB", peak[2<<30] < 64*mib)
	more := peak[1<<30] - peak[4<<10]
	t.figure("  1 GiB above 4 KiB", mb(more), "4 KiB: "+mb(peak[4<<10]), "", "<= 4 MiB", more <= 4*mib)

	ours, err := held(ctx, "hold-fake", 1<<30)
	if err != nil {
		return err
	}
	theirs, err := held(ctx, "hold-ggcr", 1<<30)
	if err != nil {
		return err
	}
	t.figure("memory held for 1 GiB stored", mb(ours), "ggcr "+mb(theirs), fmt.Sprintf("%.2f", float64(ours)/float64(1<<30)), "<= 1.1", float64(ours) <= 1.1*(1<<30))
	return nil
}

func mb(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }

// child runs one measurement in a process of its own, so that nobody else's
// memory counts, and returns the bytes that it found.
func child(ctx context.Context, name string, size int64) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", name, "-size", strconv.FormatInt(size, 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s of %d bytes: %w", name, size, err)
	}
	var bytes int64
	return bytes, json.Unmarshal(out, &bytes)
}

func runChild(ctx context.Context, name string, size int64) error {
	var bytes int64
	var err error
	switch name {
	case "sink":
		return serveSink(ctx)
	case "push":
		bytes, err = pushMadeUp(ctx, size)
	case "hold-fake":
		bytes, err = hold(startFake)
	case "hold-ggcr":
		bytes, err = hold(startPeer)
	default:
		err = fmt.Errorf("no child %q", name)
	}
	if err == nil {
		fmt.Println(bytes)
	}
	return err
}

// pushMadeUp makes an image with one layer of that size and pushes it as docker
// 1.8 does to a fake in the same process that keeps it on disk. It returns the
// peak of the process's memory.
func pushMadeUp(ctx context.Context, size int64) (int64, error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	storage, err := fakeregistry.NewStorage(dir)
	if err != nil {
		return 0, err
	}
	defer storage.Close()
	server, err := fakeregistry.Start(fakeregistry.Config{Registry: fakeregistry.NewV2(fakeregistry.V2Options{Storage: storage})})
	if err != nil {
		return 0, err
	}
	defer server.Close()
	store, err := image.Open(filepath.Join(dir, "images"))
	if err != nil {
		return 0, err
	}
	defer store.Close()
	ids, err := store.Make(ctx, image.Recipe{Layers: []int64{size}, Seed: 1})
	if err != nil {
		return 0, err
	}
	repository := server.Host() + "/bench/large"
	if err := store.Tag(repository, "v1", ids[0]); err != nil {
		return 0, err
	}
	client, err := pusher.New(pusher.Config{Era: pusher.Docker18(), Images: store, TempDir: dir})
	if err != nil {
		return 0, err
	}
	if _, err := client.Push(ctx, repository, "v1", pusher.Options{}); err != nil {
		return 0, err
	}
	return memory("VmHWM")
}

// held is by how much a registry in a process of its own grows when this
// process stores so many bytes in it.
func held(ctx context.Context, name string, size int64) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, "-child", name)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var url string
	var grown int64
	if _, err := fmt.Fscanln(stdout, &url); err != nil {
		return 0, err
	}
	if err := fill(ctx, url, size); err != nil {
		return 0, err
	}
	stdin.Close() // it looks at itself now
	if _, err := fmt.Fscanln(stdout, &grown); err != nil {
		return 0, err
	}
	return grown, cmd.Wait()
}

// fill stores so many bytes in blobs of 16 MiB, each another.
func fill(ctx context.Context, url string, size int64) error {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	data := makeBlobs(1, 16<<20)[0].data
	for i := range size / int64(len(data)) {
		copy(data, fmt.Sprintf("%8d", i))
		if err := upload(ctx, client, url+"/v2/bench/held", newBlob(data)); err != nil {
			return err
		}
	}
	return nil
}

// hold is the other side of held.
func hold(start starter) (int64, error) {
	url, stop, err := start()
	if err != nil {
		return 0, err
	}
	defer func() { _ = stop() }()
	before, err := memory("VmRSS")
	if err != nil {
		return 0, err
	}
	fmt.Println(url)
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return 0, err
	}
	after, err := memory("VmRSS")
	return after - before, err
}

// memory is one line of what Linux says of this process, in bytes.
func memory(line string) (int64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("memory is measured on Linux only: %w", err)
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc/self/status", line)
}
