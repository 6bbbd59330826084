package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// peerFigures is era best beside the clients that others wrote.
// Each figure is a registry.
func peerFigures(rounds int) []figure {
	var list []figure
	for name, start := range map[string]func(context.Context, string) (*peerRegistry, error){
		"sink": startSink, "distribution": startDistribution, "docker-registry": startDebian,
	} {
		list = append(list, figure{name, func(ctx context.Context, t *table) error { return measurePeers(ctx, t, rounds, start) }})
	}
	slices.SortFunc(list, func(a, b figure) int { return strings.Compare(b.name, a.name) }) // the sink first
	return list
}

// The images that are pushed. Of the last only the memory counts.
var (
	oneLarge  = imageSpec{"1 × 1 GiB", 1, 1 << 30}
	medium    = imageSpec{"20 × 8 MiB", 20, 8 << 20}
	manySmall = imageSpec{"200 × 4 KiB", 200, 4 << 10}
	oneSmall  = imageSpec{"1 × 4 KiB", 1, 4 << 10}
)

func measurePeers(ctx context.Context, t *table, rounds int, start func(context.Context, string) (*peerRegistry, error)) (err error) {
	if err := lookUp(); err != nil {
		return err
	}
	shm := "/dev/shm"
	if _, err := os.Stat(shm); err != nil {
		shm = "" // the system's folder
	}
	dir, err := os.MkdirTemp(shm, "pushcheck-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &peerBench{table: t, rounds: rounds, dir: dir, meter: meter{program: filepath.Join(dir, "bin", "meter"), home: filepath.Join(dir, "home")}}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	b.sayLoad("before")
	defer b.sayLoad("after")
	return b.registry(ctx, start)
}

// sayLoad prints how busy the machine is: where others take its cores, what is done side
// by side is no quicker than one after the other, and wall time says little.
func (b *peerBench) sayLoad(when string) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return
	}
	b.table.row("load "+when, fmt.Sprintf("%s on %d cores", strings.Join(strings.Fields(string(text))[:3], " "), runtime.NumCPU()))
}

// A peerBench pushes the same images to the same registries with every client.
type peerBench struct {
	table   *table
	rounds  int
	dir     string
	meter   meter
	clients []peerClient
	pushes  int // so many, for names of repositories
}

func (b *peerBench) layout(spec imageSpec) string {
	return filepath.Join(b.dir, fmt.Sprintf("layout-%d-%d", spec.layers, spec.size))
}

func (b *peerBench) prepare(ctx context.Context) error {
	for _, folder := range []string{"bin", "home"} {
		if err := os.MkdirAll(filepath.Join(b.dir, folder), 0o755); err != nil {
			return err
		}
	}
	bin := filepath.Dir(b.meter.program)
	if err := build(ctx, "./cmd/pushcheck", filepath.Join(bin, "pushcheck")); err != nil {
		return err
	}
	if err := build(ctx, "./internal/bench/meter", b.meter.program); err != nil {
		return err
	}
	for _, source := range peerSources {
		if err := install(ctx, source, bin); err != nil {
			return err
		}
	}
	b.clients = peerClients(bin)
	for _, spec := range []imageSpec{oneLarge, medium, manySmall, oneSmall} {
		if err := writeLayout(b.layout(spec), spec); err != nil {
			return err
		}
	}
	return nil
}

// registry measures everything against one registry.
func (b *peerBench) registry(ctx context.Context, start func(context.Context, string) (*peerRegistry, error)) (err error) {
	r, err := start(ctx, b.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	var large []measured
	for _, spec := range []imageSpec{oneLarge, medium, manySmall} {
		first, second, err := b.image(ctx, r, spec)
		if err != nil {
			return err
		}
		if spec == oneLarge {
			large = first[ours]
		}
		b.show(r.name+", "+spec.name, first)
		b.judgeFirst(r.name, spec, first)
		b.show(r.name+", "+spec.name+", second push", second)
		b.judgeSecond(r.name, second)
	}
	return b.flat(ctx, r, large)
}

// image pushes an image twice with every client, in turns.
func (b *peerBench) image(ctx context.Context, r *peerRegistry, spec imageSpec) (first, second map[string][]measured, err error) {
	first, second = map[string][]measured{}, map[string][]measured{}
	for round := range b.rounds + 1 {
		for _, c := range b.clients {
			if err := r.empty(ctx); err != nil {
				return nil, nil, err
			}
			if err := b.meter.freshHome(r.host); err != nil {
				return nil, nil, err
			}
			b.pushes++
			repository := fmt.Sprintf("bench/r%d", b.pushes)
			for _, into := range []map[string][]measured{first, second} {
				m, err := b.push(ctx, r, c, spec, repository)
				if err != nil {
					return nil, nil, err
				}
				if round > 0 { // the first one does not count
					into[c.name] = append(into[c.name], m)
				}
			}
		}
	}
	return first, second, nil
}

func (b *peerBench) push(ctx context.Context, r *peerRegistry, c peerClient, spec imageSpec, repository string) (measured, error) {
	if _, _, err := r.take(ctx); err != nil {
		return measured{}, err
	}
	m, err := b.meter.run(ctx, c.command(b.layout(spec), r.host, repository))
	if err != nil {
		return m, err
	}
	m.traffic, m.counted, err = r.take(ctx)
	return m, err
}

// flat compares the memory of a large layer with that of a small one.
func (b *peerBench) flat(ctx context.Context, r *peerRegistry, large []measured) error {
	var small []measured
	for range 3 {
		b.pushes++
		m, err := b.push(ctx, r, b.clients[0], oneSmall, fmt.Sprintf("bench/r%d", b.pushes))
		if err != nil {
			return err
		}
		small = append(small, m)
	}
	peak := func(m measured) int64 { return m.Peak }
	more := worst(large, peak) - worst(small, peak)
	b.table.figure(r.name+", memory of 1 GiB above 4 KiB", mb(more), mb(worst(small, peak)), "", "<= 4 MiB", more <= 4<<20)
	return nil
}

func worst(list []measured, of func(measured) int64) int64 {
	var most int64
	for _, m := range list {
		most = max(most, of(m))
	}
	return most
}

// show prints what every client took.
func (b *peerBench) show(title string, all map[string][]measured) {
	for _, c := range b.clients {
		list := all[c.name]
		text := fmt.Sprintf("%s (median %s), %s of CPU, %s", ms(quickest(list)), ms(medianOf(list, wallOf)), ms(medianOf(list, cpuOf)), mb(worst(list, func(m measured) int64 { return m.Peak })))
		if last := list[len(list)-1]; last.counted {
			text += fmt.Sprintf(", %d requests, %d connections", last.traffic.Requests, last.traffic.Connections)
		}
		if c.name == ours {
			b.table.row(title, text)
		} else {
			b.table.row("  "+c.name, "", text)
		}
	}
}

func wallOf(m measured) time.Duration { return m.Wall }
func cpuOf(m measured) time.Duration  { return m.CPU }

func medianOf(list []measured, of func(measured) time.Duration) time.Duration {
	var values []time.Duration
	for _, m := range list {
		values = append(values, of(m))
	}
	return median(values)
}

// ratio is our wall time to that of the fastest of some others, each in its quickest
// round: a machine that others use too makes a program slower and never quicker.
func (b *peerBench) ratio(all map[string][]measured, others func(peerClient) bool) (ratio float64, ourTime, theirs time.Duration) {
	ourTime = quickest(all[ours])
	for _, c := range b.clients {
		if c.name != ours && others(c) {
			if wall := quickest(all[c.name]); theirs == 0 || wall < theirs {
				theirs = wall
			}
		}
	}
	return float64(ourTime) / float64(theirs), ourTime, theirs
}

func quickest(list []measured) time.Duration {
	return slices.MinFunc(list, func(a, b measured) int { return cmp.Compare(a.Wall, b.Wall) }).Wall
}

// compare is one figure against some of the others.
func (b *peerBench) compare(title string, all map[string][]measured, bound float64, others func(peerClient) bool) {
	r, mine, theirs := b.ratio(all, others)
	b.table.figure(title, ms(mine), ms(theirs), fmt.Sprintf("%.2f", r), fmt.Sprintf("<= %.2f", bound), r <= bound)
}

func verifying(c peerClient) bool   { return c.verifies }
func unverifying(c peerClient) bool { return !c.verifies }
func named(name string) func(peerClient) bool {
	return func(c peerClient) bool { return c.name == name }
}

// judgeFirst holds a first push against its bounds.
func (b *peerBench) judgeFirst(registry string, spec imageSpec, all map[string][]measured) {
	switch spec {
	case oneLarge:
		b.compare("  to the fastest that verifies", all, 0.80, verifying)
	case medium:
		b.compare("  to the fastest that verifies", all, 0.85, verifying)
	case manySmall:
		b.compare("  to oras", all, 0.75, named("oras cp"))
	}
	if registry != "sink" {
		b.compare("  to the fastest that does not", all, 1.05, unverifying)
	}
	peak := worst(all[ours], func(m measured) int64 { return m.Peak })
	b.table.figure("  peak memory", mb(peak), "", "", "<= 24 MiB", peak <= 24<<20)
}

// judgeSecond holds a push of what is there against its bounds.
func (b *peerBench) judgeSecond(registry string, all map[string][]measured) {
	b.compare("  to crane", all, 1.10, named("crane push"))
	if registry == "sink" {
		most := slices.MaxFunc(all[ours], func(a, b measured) int { return a.traffic.Requests - b.traffic.Requests }).traffic.Requests
		b.table.figure("  requests", fmt.Sprint(most), "", "", "<= 2", most <= 2)
	}
}
