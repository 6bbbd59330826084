package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// measureStart is how long the command takes to say its version: what every
// call of it pays.
func measureStart(ctx context.Context, t *table) error {
	program, remove, err := buildCommand(ctx)
	if err != nil {
		return err
	}
	defer remove()
	var walls []time.Duration
	for range 41 {
		wall, err := timed(exec.CommandContext(ctx, program, "version").Run)
		if err != nil {
			return err
		}
		walls = append(walls, wall)
	}
	wall := median(walls[1:])
	t.figure("pushcheck version", ms(wall), "", "", "<= 10 ms", wall <= 10*time.Millisecond)

	cmd := exec.CommandContext(ctx, program, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	trace, err := cmd.CombinedOutput()
	if err != nil {
		return err
	}
	var sum float64
	for _, m := range regexp.MustCompile(`@[\d.]+ ms, ([\d.]+) ms clock`).FindAllSubmatch(trace, -1) {
		v, _ := strconv.ParseFloat(string(m[1]), 64)
		sum += v
	}
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	t.row("  of that package init", fmt.Sprintf("%.1f ms", sum))
	t.row("  size of the program", fmt.Sprintf("%.1f MB", float64(info.Size())/1e6))
	return nil
}

// measureLibrary is the whole built-in library in a process of its own.
func measureLibrary(ctx context.Context, t *table) error {
	program, remove, err := buildCommand(ctx)
	if err != nil {
		return err
	}
	defer remove()
	var walls []time.Duration
	for range 5 {
		wall, err := timed(func() error {
			out, err := exec.CommandContext(ctx, program, "run", "--quiet", "--progress", "none").CombinedOutput()
			if err != nil {
				return fmt.Errorf("%w\n%s", err, out)
			}
			return nil
		})
		if err != nil {
			return err
		}
		walls = append(walls, wall)
	}
	wall := median(walls)
	t.figure("the whole library", ms(wall), "", "", "< 5 s", wall < 5*time.Second)
	return nil
}

func buildCommand(ctx context.Context) (program string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { os.RemoveAll(dir) }
	program = filepath.Join(dir, "pushcheck")
	if err := build(ctx, "./cmd/pushcheck", program); err != nil {
		remove()
		return "", nil, err
	}
	return program, remove, nil
}

func ms(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
