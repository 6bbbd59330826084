package fakeregistry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pushcheck/pushcheck/fakeregistry"
	"github.com/pushcheck/pushcheck/internal/clock"
	"github.com/pushcheck/pushcheck/internal/wire"
)

// A try is one request with a limit, on virtual time.
func try(t *testing.T, v *clock.Virtual, c *http.Client, url string, limit time.Duration) (string, time.Duration) {
	t.Helper()
	before := v.Now()
	ctx, cancel := v.WithTimeout(t.Context(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return err.Error(), v.Now().Sub(before)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return fmt.Sprint(resp.StatusCode), v.Now().Sub(before)
}

func TestDialsThatTakeTime(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		fault, host string
		limit       time.Duration
		want        string // what is seen, or a part of it
		took        time.Duration
	}{
		{"blackhole", "", 5 * time.Second, "context deadline exceeded", 5 * time.Second},
		{"blackhole", "", time.Hour, "connect: connection timed out", 127 * time.Second},
		{"blackhole for=1h", "", time.Hour, "connect: connection timed out", 127 * time.Second},
		{"blackhole for=3s", "", 5 * time.Second, "202", 3 * time.Second},
		{"blackhole for=6s", "", 5 * time.Second, "context deadline exceeded", 5 * time.Second},
		{"dns-slow", "registry.test", time.Minute, "202", 5 * time.Second},
		{"dns-slow by=∞", "registry.test", time.Minute, "context deadline exceeded", time.Minute},
		{"dns-dead-v6", "registry.test", time.Minute, "202", 300 * time.Millisecond},
		{"dns-dead-v6 fallback=∞", "registry.test", time.Hour, "connect: connection timed out", 127 * time.Second},
	} {
		t.Run(fmt.Sprint(row.fault, row.limit), func(t *testing.T) {
			t.Parallel()
			v := virtual(t)
			words := strings.Fields(row.fault)
			s := start(t, fakeregistry.Config{Clock: v, Names: []string{"registry.test"}, Faults: []fakeregistry.Fault{fault(t, words[0], "", words[1:]...)}})
			url := s.URL() + "/v2/"
			if row.host != "" {
				url = "http://" + row.host + "/v2/"
			}
			got, took := try(t, v, timed(t, v, s), url, row.limit)
			if !strings.Contains(got, row.want) || took != row.took || len(s.Fired()) != 1 {
				t.Errorf("%s after %v, want %s after %v; fired %+v", got, took, row.want, row.took, s.Fired())
			}
			if err := v.Sleep(t.Context(), time.Second); err != nil || v.Now().Sub(clock.Epoch) != row.took+time.Second {
				t.Errorf("a second later it is +%v: the accounts are wrong", v.Now().Sub(clock.Epoch))
			}
		})
	}
}

func TestADialEndsWithItsServer(t *testing.T) {
	t.Parallel()
	s, err := fakeregistry.Start(fakeregistry.Config{Registry: handler(echo), Faults: []fakeregistry.Fault{fault(t, "blackhole", "")}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := s.Dial(context.WithoutCancel(t.Context()), "tcp", s.Host())
		ended <- err
	}()
	waitFor(t, "the dial", func() bool { return len(s.Fired()) == 1 })
	_ = s.Close()
	if err := <-ended; err == nil {
		t.Error("it succeeded")
	}
}

func TestBlackholeForWhoDialsPastIt(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "blackhole", "", "for=5ms")}})
	if got := do(t, foreign(t), http.MethodGet, s.URL()+"/v2/", nil); got.Status != 202 || len(s.Fired()) != 1 {
		t.Errorf("%d %v, fired %+v", got.Status, got.Err, s.Fired())
	}
}

func TestDNSMoves(t *testing.T) {
	t.Parallel()
	other := start(t, fakeregistry.Config{Registry: handler(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })})
	for to, want := range map[string]string{"to=" + other.Host(): "202 202 418 418", "to=": "202 202 refused refused"} {
		s := start(t, fakeregistry.Config{Names: []string{"registry.test"}, Faults: []fakeregistry.Fault{fault(t, "dns-moves", "", "after=2", to)}})
		var got []string
		for range 4 {
			o := do(t, client(t, s), http.MethodGet, "http://registry.test/v2/", nil)
			if errors.Is(o.Err, syscall.ECONNREFUSED) {
				got = append(got, "refused")
			} else {
				got = append(got, fmt.Sprint(o.Status))
			}
		}
		if strings.Join(got, " ") != want || len(s.Fired()) != 2 {
			t.Errorf("%s: %v, want %s; fired %+v", to, got, want, s.Fired())
		}
		if o := do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil); o.Status != 202 {
			t.Errorf("the address itself gives %d %v", o.Status, o.Err)
		}
	}
}

func TestIdleKill(t *testing.T) {
	t.Parallel()
	v := virtual(t)
	s := start(t, fakeregistry.Config{Clock: v, Faults: []fakeregistry.Fault{fault(t, "idle-kill", "upload.start", "idle=2s")}})
	rec := wire.NewRecorder(v, nil)
	tr := &http.Transport{DialContext: rec.Dial(s.Dial)}
	defer tr.CloseIdleConnections()
	p := newPusher(t, s)
	p.http = &http.Client{Transport: rec.Transport(tr)}
	send := func(method, path string) { p.send(method, path, nil) }
	send(http.MethodPost, upload)
	for _, pause := range []time.Duration{time.Second, 3 * time.Second} {
		if err := v.Sleep(t.Context(), pause); err != nil {
			t.Fatal(err)
		}
		send(http.MethodPost, upload)
	}
	if !errors.Is(p.last.Err, syscall.ECONNRESET) && !errors.Is(p.last.Err, io.EOF) {
		t.Errorf("the idle connection gave %v", p.last.Err)
	}
	send(http.MethodPost, upload)
	if diff := cmp.Diff([]string{"upload.start 202", "upload.start 202", "upload.start 0", "upload.start 202"}, p.log); diff != "" || len(s.Fired()) != 1 {
		t.Errorf("(-want +got):\n%s\nfired %+v", diff, s.Fired())
	}
}

func TestConnLimitRefuses(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "conn-limit", "", "max=2")}})
	for range 5 { // one after the other is one at a time, whenever the server notices
		if got := do(t, client(t, s), http.MethodGet, s.URL()+"/v2/", nil); got.Status != 202 {
			t.Fatalf("%d %v", got.Status, got.Err)
		}
	}
	one, err1 := s.Dial(t.Context(), "tcp", s.Host())
	two, err2 := s.Dial(t.Context(), "tcp", s.Host())
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if _, err := s.Dial(t.Context(), "tcp", s.Host()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the third: %v, want connection refused", err)
	}
	past, err := net.Dial("tcp", s.Host())
	if err == nil { // the reset may be quicker
		if _, err := past.Read(make([]byte, 1)); err == nil {
			t.Error("one that was dialled past the limit is served")
		}
		_ = past.Close()
	}
	waitFor(t, "the limit to be noticed", func() bool { return len(s.Fired()) == 2 })
	_ = one.Close()
	three, err := s.Dial(t.Context(), "tcp", s.Host())
	if err != nil {
		t.Fatal("with a place free:", err)
	}
	_, _ = three.Close(), two.Close()
	if len(s.Fired()) != 2 {
		t.Errorf("fired %+v", s.Fired())
	}
}

func TestConnLimitQueues(t *testing.T) {
	t.Parallel()
	v := clock.NewVirtual(time.Time{})
	done := v.Work()
	defer done()
	s := start(t, fakeregistry.Config{Clock: v, Faults: []fakeregistry.Fault{
		fault(t, "conn-limit", "", "max=2", "over=queue"), fault(t, "delay", "ping", "by=10s"),
	}})
	c := timed(t, v, s)
	var mu sync.Mutex
	ends := map[time.Duration]int{}
	g := clock.NewGroup(v)
	for range 6 {
		g.Go(func() {
			got, _ := try(t, v, c, s.URL()+"/v2/", time.Hour)
			mu.Lock()
			defer mu.Unlock()
			if got != "202" {
				t.Error(got)
			}
			ends[v.Now().Sub(clock.Epoch)]++
		})
	}
	g.Wait()
	if diff := cmp.Diff(map[time.Duration]int{10 * time.Second: 2, 20 * time.Second: 2, 30 * time.Second: 2}, ends); diff != "" || len(s.Fired()) != 6+4 {
		t.Errorf("when requests ended (-want +got):\n%s\nfired %d", diff, len(s.Fired()))
	}
}

func TestConnLimitQueuesWhoDialsPastIt(t *testing.T) {
	t.Parallel()
	s := start(t, fakeregistry.Config{Faults: []fakeregistry.Fault{fault(t, "conn-limit", "", "over=queue")}})
	first, err := net.Dial("tcp", s.Host())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(first, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan outcome, 1)
	go func() { ended <- do(t, foreign(t), http.MethodGet, s.URL()+"/v2/", nil) }()
	waitFor(t, "the second to be queued", func() bool { return len(s.Fired()) == 1 })
	if len(ended) > 0 {
		t.Error("it did not wait")
	}
	_ = first.Close()
	if got := <-ended; got.Status != 202 {
		t.Errorf("then it got %d %v", got.Status, got.Err)
	}
}

func TestADialWithALimitOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"blackhole": "i/o timeout", "dns-slow": "lookup registry.test: i/o timeout"} {
		v := virtual(t)
		s := start(t, fakeregistry.Config{Clock: v, Names: []string{"registry.test"}, Faults: []fakeregistry.Fault{fault(t, name, "")}})
		ctx, cancel := context.WithDeadline(t.Context(), time.Now())
		_, err := s.Dial(ctx, "tcp", "registry.test:5000")
		cancel()
		var timeout net.Error
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
