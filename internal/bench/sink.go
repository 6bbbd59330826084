package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

// A sink is a registry that takes everything, remembers which names it was given, and
// throws the bytes away unseen: what a client takes against it is the client's own.
// It is safe for concurrent use.
type sink struct {
	mu        sync.Mutex // guards everything below
	blobs     map[string]bool
	manifests map[string]sunk // by "repository reference"
	sessions  int
	count     traffic
}

// A sunk manifest is what its readers see.
type sunk struct {
	media, digest string
	bytes         []byte
}

// traffic is what a registry was sent.
type traffic struct{ Requests, Connections int }

func newSink() *sink { return &sink{blobs: map[string]bool{}, manifests: map[string]sunk{}} }

// serveSink runs a sink in a process of its own until standard input ends. It says two
// addresses, the registry's and that of take, which returns the traffic since the last
// time, and forgets everything when asked for "/forget".
func serveSink(ctx context.Context) error {
	s := newSink()
	registry, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.mu.Lock()
			s.count.Connections++
			s.mu.Unlock()
		}
	}}
	asked := &http.Server{Handler: http.HandlerFunc(s.take)}
	go func() { _ = server.Serve(registry) }()
	go func() { _ = asked.Serve(control) }()
	fmt.Println(registry.Addr(), control.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, ctx.Err(), server.Close(), asked.Close())
}

func (s *sink) take(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/forget" {
		clear(s.blobs)
		clear(s.manifests)
	}
	_ = json.NewEncoder(w).Encode(s.count) // whoever asked has gone
	s.count = traffic{}
}

// ServeHTTP implements http.Handler.
func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.count.Requests++
	s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	switch {
	case path == "":
		w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	case strings.Contains(path, "/blobs/uploads/"):
		s.upload(w, r, path)
	case strings.Contains(path, "/blobs/"):
		s.mu.Lock()
		have := s.blobs[path]
		s.mu.Unlock()
		if !have {
			w.WriteHeader(http.StatusNotFound)
		}
	case strings.Contains(path, "/manifests/"):
		s.manifest(w, r, path)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (s *sink) upload(w http.ResponseWriter, r *http.Request, path string) {
	repository, _, _ := strings.Cut(path, "/blobs/uploads/")
	n := discard(r.Body)
	d := r.URL.Query().Get("digest")
	if r.Method == http.MethodPut {
		s.mu.Lock()
		s.blobs[repository+"/blobs/"+d] = true
		s.mu.Unlock()
		w.Header().Set("Docker-Content-Digest", d)
		w.Header().Set("Location", "/v2/"+repository+"/blobs/"+d)
		w.WriteHeader(http.StatusCreated)
		return
	}
	s.mu.Lock()
	s.sessions++
	session := s.sessions
	s.mu.Unlock()
	w.Header().Set("Location", fmt.Sprintf("http://%s/v2/%s/blobs/uploads/%d", r.Host, repository, session))
	w.Header().Set("Range", "0-"+strconv.FormatInt(max(n-1, 0), 10))
	w.WriteHeader(http.StatusAccepted)
}

// discard reads a body in large steps.
func discard(body io.Reader) int64 {
	buffer := steps.Get().(*[]byte) //nolint:errcheck,forcetypeassert // the pool holds nothing else
	defer steps.Put(buffer)
	var n int64
	for {
		k, err := body.Read(*buffer)
		n += int64(k)
		if err != nil {
			return n
		}
	}
}

var steps = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

func (s *sink) manifest(w http.ResponseWriter, r *http.Request, path string) {
	repository, reference, _ := strings.Cut(path, "/manifests/")
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPut {
		data, _ := io.ReadAll(r.Body)
		m := sunk{media: r.Header.Get("Content-Type"), digest: newBlob(data).digest, bytes: data}
		s.manifests[repository+" "+reference], s.manifests[repository+" "+m.digest] = m, m
		w.Header().Set("Docker-Content-Digest", m.digest)
		w.Header().Set("Location", "/v2/"+repository+"/manifests/"+m.digest)
		w.WriteHeader(http.StatusCreated)
		return
	}
	m, ok := s.manifests[repository+" "+reference]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Docker-Content-Digest", m.digest)
	w.Header().Set("Content-Type", m.media)
	w.Header().Set("Content-Length", strconv.Itoa(len(m.bytes)))
	_, _ = w.Write(m.bytes)
}
