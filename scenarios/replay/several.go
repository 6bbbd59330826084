package replay

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
)

// A side is one of the pushes of a step that pushed several repositories at once, with
// what was recorded of it alone.
type side struct {
	target
	step   *recording.Step
	told   *told
	course *courses
	script *script
	images [][]layerOfImage
	tags   []string

	shown []string
	err   error
}

// sideKey is where the context of a push has its side.
type sideKey struct{}

// several tells whether a command pushes several repositories.
func (c command) several() bool {
	return slices.ContainsFunc(c.pushes, func(t target) bool { return t.name != c.pushes[0].name })
}

// severalAtOnce plays a step that pushed several repositories at once.
//
// Errors: why it cannot be played.
func (st *stage) severalAtOnce(ctx context.Context, step *recording.Step, cmd command) ([]*comparison, error) {
	sides, err := st.sides(step, cmd)
	if err != nil {
		return nil, err
	}
	if err := st.arrange("", state{}); err != nil {
		return nil, err
	}
	for _, s := range sides {
		if err := st.prepareSide(s, sides); err != nil {
			return nil, err
		}
	}
	root := newScript(step, st.server.host())
	root.turns = turnsOf(inTurn(sides), st.options.Era.Layers.Concurrency)
	for _, s := range sides {
		s.script = newScript(dated(s.step, st.clock.Now()), st.server.host())
		s.script.courses, s.script.turns = s.course, root.turns
		root.sides = append(root.sides, s.script)
	}
	if err := st.pushSides(ctx, root, sides); err != nil {
		return nil, err
	}
	var list []*comparison
	for _, s := range sides {
		list = append(list, st.compareSide(s))
	}
	return list, nil
}

// sides takes a step apart.
func (st *stage) sides(step *recording.Step, cmd command) ([]*side, error) {
	parts := tellings(step.Stream)
	if len(parts) != len(cmd.pushes) {
		return nil, fmt.Errorf("it pushes %d times, but what it showed is of %s", len(cmd.pushes), plural(len(parts)))
	}
	rc := endings(step.Stream)
	var sides []*side
	for i, t := range cmd.pushes {
		if slices.ContainsFunc(sides, func(s *side) bool { return s.name == t.name }) {
			return nil, fmt.Errorf("it pushes %s more than once, and other repositories beside it", t.name)
		}
		own := *step
		own.Exchanges, own.Stream = nil, []byte(strings.Join(parts[i], "\n")+"\n")
		if own.Exit = 0; i < len(rc) {
			own.Exit = rc[i]
		}
		sides = append(sides, &side{target: t, step: &own, told: readTold(&own, false)})
	}
	if err := share(step, sides); err != nil {
		return nil, err
	}
	for _, s := range sides {
		images, err := st.imagesOf(s.told)
		if err != nil {
			return nil, err
		}
		s.images, s.course = images, readCourses(s.step, s.told, layersOf(images))
		s.course.settle()
	}
	return sides, nil
}

func plural(pushes int) string {
	if pushes == 1 {
		return "1 push"
	}
	return fmt.Sprintf("%d pushes", pushes)
}

// share gives each side what was recorded of it: what names its repository, and of what
// names none, such as pings, what came in its turn. The side whose layers had to wait
// least was the first.
func share(step *recording.Step, sides []*side) error {
	turn := inTurn(sides)
	nameless := map[string]int{} // so many of each kind
	for _, e := range step.Exchanges {
		name := repositoryOf(e)
		i := slices.IndexFunc(turn, func(s *side) bool { return strings.HasSuffix(s.name, "/"+name) && name != "" })
		if i < 0 && name == "" {
			kind := e.Event + e.Method + e.Path
			i = nameless[kind]
			nameless[kind]++
		}
		if i < 0 || i >= len(turn) {
			return fmt.Errorf("exchange %d: which of the pushes it was for does not show: %s", e.Seq, e)
		}
		turn[i].step.Exchanges = append(turn[i].step.Exchanges, e)
	}
	return nil
}

// inTurn are sides in the order in which they queued their layers.
func inTurn(sides []*side) []*side {
	turn := slices.Clone(sides)
	slices.SortStableFunc(turn, func(a, b *side) int { return cmp.Compare(a.waited(), b.waited()) })
	return turn
}

// waited is how many layers had no place when they were queued.
func (s *side) waited() int {
	n := 0
	for _, lines := range s.told.lines {
		if slices.Contains(lines, "Waiting") {
			n++
		}
	}
	return n
}

// scopeOf is the repository of which a token is asked for first.
func scopeOf(path string) string {
	u, err := url.Parse(path)
	if err != nil {
		return ""
	}
	kind, rest, _ := strings.Cut(u.Query().Get("scope"), ":")
	name, _, _ := strings.Cut(rest, ":")
	if kind != "repository" {
		return ""
	}
	return name
}

// prepareSide gives the store a side's tags, and what was known of its layers before the
// step: not what another side brought meanwhile.
func (st *stage) prepareSide(s *side, sides []*side) error {
	repository := onHost(s.name, st.server.host())
	s.tags = s.course.tags(s.target, len(s.images))
	for i, tag := range s.tags {
		if err := st.images.Tag(repository, tag, s.images[i][0].ID); err != nil {
			return err
		}
	}
	for _, l := range layersOf(s.images) {
		if s.teller(l.short, sides) != nil {
			continue
		}
		if err := st.know(l, s.course, repository); err != nil {
			return err
		}
	}
	return nil
}

// teller is the side through which this one knew of a layer that it did not know of
// before the step; nil for none.
func (s *side) teller(layer string, sides []*side) *side {
	if known := s.course.known[layer]; known == nil || !*known {
		return nil
	}
	for _, other := range sides {
		if known := other.course.known[layer]; other != s && known != nil && !*known {
			return other
		}
	}
	return nil
}

// pushSides pushes all sides at once.
func (st *stage) pushSides(ctx context.Context, root *script, sides []*side) error {
	client, err := st.commandClient(&courses{schema1: slices.ContainsFunc(sides, func(s *side) bool { return s.course.schema1 })}, root)
	if err != nil {
		return err
	}
	st.server.play(root)
	var ended sync.WaitGroup
	begun := make([]func(), len(sides))
	for i := range sides { // time stands still until all have begun
		begun[i] = sync.OnceFunc(st.clock.Work())
	}
	for i, s := range sides {
		ended.Go(func() {
			defer begun[i]()
			_, s.err = client.Push(context.WithValue(ctx, sideKey{}, i), onHost(s.name, st.server.host()), s.tag, pusher.Options{
				Credentials: s.course.credentials, TagOrder: s.tags,
				Progress: func(e pusher.Event) {
					begun[i]()
					if line := shownLine(e); line != "" {
						s.shown = append(s.shown, toHost(line, st.server.host()))
					}
				},
			})
		})
	}
	ended.Wait()
	st.server.settle()
	return nil
}

// forgetWaits leaves out which layers had no place when they were queued: that is how far
// the other sides had come by then.
func (s *side) forgetWaits() {
	waits := func(line string) bool { return strings.HasSuffix(line, ": Waiting") }
	s.shown = slices.DeleteFunc(s.shown, waits)
	lines := slices.DeleteFunc(strings.Split(string(s.step.Stream), "\n"), waits)
	s.step.Stream = []byte(strings.Join(lines, "\n"))
	s.told = readTold(s.step, false)
	s.course.told = s.told
}

// compareSide compares what became of a side.
func (st *stage) compareSide(s *side) *comparison {
	c := &comparison{step: s.step, host: st.server.host()}
	c.excuse(racingPushes)
	s.forgetWaits()
	c.courses(s.course, s.script.took(), false)
	c.tellings(s.course, [][]string{s.shown})
	if (s.err != nil) != (s.step.Exit != 0) {
		c.differ("outcome", fmt.Sprintf("exit code %d", s.step.Exit), fmt.Sprintf("error %v", s.err))
	}
	for i := range c.diffs {
		c.diffs[i].Where = strings.TrimPrefix(s.name, recording.Host+"/") + ": " + c.diffs[i].Where
	}
	return c
}
