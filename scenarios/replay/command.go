package replay

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/gzips"
	"github.com/pushcheck/pushcheck/internal/recording"
	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
	"github.com/pushcheck/pushcheck/pusher/metadata"
)

// aCommand tells whether a step was a command line whose daemon pushes layers side
// by side, as the era does.
func (st *stage) aCommand(step *recording.Step) bool {
	return step.Unreadable == nil && len(step.Input.Argv) > 0 && st.options.Era.Layers.Concurrency > 0
}

// command plays a step that was a docker command line.
func (st *stage) command(ctx context.Context, step *recording.Step) Verdict {
	v := Verdict{Scenario: step.Scenario, Step: step.Name, Path: step.Path}
	cmd, err := readCommand(step.Input.Argv)
	if err != nil {
		v.Unplayable = err
		return v
	}
	if cmd.several() {
		list, err := st.severalAtOnce(ctx, step, cmd)
		v.Unplayable = err
		for _, c := range list {
			v.take(c)
		}
		return v
	}
	host := st.server.host()
	told := readTold(step, cmd.quiet)
	images, err := st.imagesOf(told)
	if err != nil {
		v.Unplayable = err
		return v
	}
	if cmd.quiet && step.Exit == 0 {
		told.queue(images[0])
	}
	course := readCourses(step, told, layersOf(images))
	tags, err := st.prepare(cmd, course, images)
	if err != nil {
		v.Unplayable = err
		return v
	}
	sc := newScript(dated(step, st.clock.Now()), host)
	sc.courses = course
	if len(cmd.pushes) > 1 {
		sc.pace = 100 * time.Millisecond
	}
	client, err := st.commandClient(course, sc)
	if err != nil {
		v.Unplayable = err
		return v
	}
	st.server.play(sc)
	streams, errs := st.pushAtOnce(ctx, client, cmd, pusher.Options{Credentials: course.credentials, TagOrder: tags})
	st.server.settle()

	c := &comparison{step: step, host: host}
	c.courses(course, sc.took(), len(cmd.pushes) > 1)
	c.tellings(course, streams)
	failed := slices.ContainsFunc(errs, func(err error) bool { return err != nil })
	if failed != (step.Exit != 0) {
		c.differ("outcome", fmt.Sprintf("exit code %d", step.Exit), fmt.Sprintf("errors %v", errs))
	}
	v.take(c)
	return v
}

// take adds what was found.
func (v *Verdict) take(c *comparison) {
	v.Diffs = append(v.Diffs, c.diffs...)
	for _, why := range c.reasons {
		if !slices.Contains(v.Reasons, string(why)) {
			v.Reasons = append(v.Reasons, string(why))
		}
	}
}

// commandClient makes the client of a step. What it dials for a layer the script
// knows by its address.
func (st *stage) commandClient(course *courses, sc *script) (*pusher.Client, error) {
	var d net.Dialer
	return pusher.New(pusher.Config{
		Era: st.options.Era, Images: st.images, TempDir: st.dir, Clock: st.clock, Metadata: st.metadata,
		AllowSchema1: course.schema1,
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			sc.dialling.Lock() // the server may accept before it is known who dialled
			defer sc.dialling.Unlock()
			conn, err := d.DialContext(ctx, network, addr)
			if err == nil {
				sc.dialled(ctx, conn.LocalAddr().String())
			}
			return conn, err
		},
	})
}

// imagesOf finds the images whose layers the client told of, by their diff IDs,
// one for each tag; the last one that was loaded when it told of none.
func (st *stage) imagesOf(told *told) ([][]layerOfImage, error) {
	queues := told.queues
	if len(queues) == 0 {
		queues = [][]string{nil}
	}
	var images [][]layerOfImage
	for _, queue := range queues {
		img, err := st.imageOf(queue)
		if err != nil {
			return nil, err
		}
		images = append(images, img)
	}
	return images, nil
}

// imageOf finds the image that has such layers, top first.
func (st *stage) imageOf(queue []string) ([]layerOfImage, error) {
	for _, top := range slices.Backward(st.tops) {
		var list []layerOfImage
		for l, err := range st.images.Chain(top) {
			if err != nil {
				return nil, err
			}
			list = append(list, layerOfImage{Layer: l, short: l.DiffID.Encoded()[:12]})
		}
		same := slices.EqualFunc(list, queue, func(l layerOfImage, id string) bool { return l.short == id })
		if !same && len(queue) > 0 {
			continue
		}
		for i := range list {
			if err := st.measure(&list[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("no image in %s has the layers %s", st.runner.images, strings.Join(queue, ", "))
}

// layersOf are the layers of several images, each once.
func layersOf(images [][]layerOfImage) []layerOfImage {
	var list []layerOfImage
	for _, img := range images {
		for _, l := range img {
			if !slices.ContainsFunc(list, func(other layerOfImage) bool { return other.short == l.short }) {
				list = append(list, l)
			}
		}
	}
	return list
}

// A layerOfImage is a layer with its blob's digest and size.
type layerOfImage struct {
	image.Layer
	short string // as it is shown
	blob  digest.Digest
	size  int64
}

// prepare gives the store the tags, and what is known of the layers. It gives the
// tags in the order in which they go when all do.
func (st *stage) prepare(cmd command, course *courses, images [][]layerOfImage) ([]string, error) {
	if err := st.arrange("", state{}); err != nil {
		return nil, err
	}
	if told := course.told; len(told.order) == 0 && !course.pinged {
		return nil, nil // it had no such repository
	}
	var all []string
	for _, t := range cmd.pushes {
		tags := course.tags(t, len(images))
		for i, tag := range tags {
			if err := st.images.Tag(onHost(t.name, st.server.host()), tag, images[i][0].ID); err != nil {
				return nil, err
			}
		}
		all = append(all, tags...)
	}
	for _, l := range layersOf(images) {
		if err := st.know(l, course, onHost(cmd.pushes[0].name, st.server.host())); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// know makes what is known of a layer what the recorded client knew of it.
func (st *stage) know(l layerOfImage, course *courses, repository string) error {
	known := course.known[l.short]
	if known == nil {
		return nil // it did not come to show
	}
	entries := st.metadata.Entries(l.DiffID)
	switch {
	case !*known && len(entries) > 0:
		return st.metadata.Forget(l.DiffID)
	case *known && len(entries) == 0:
		e := metadata.Entry{Digest: l.blob, SourceRepository: repository}
		if from := course.from[l.short]; from != "" {
			e.SourceRepository = st.server.host() + "/" + from
		}
		return st.metadata.Add(l.DiffID, e)
	}
	return nil
}

// pushAtOnce pushes as often as the command did, and gives what a docker command
// line shows of each.
func (st *stage) pushAtOnce(ctx context.Context, client *pusher.Client, cmd command, o pusher.Options) ([][]string, []error) {
	shown, errs := make([][]string, len(cmd.pushes)), make([]error, len(cmd.pushes))
	var begun, ended sync.WaitGroup
	begun.Add(len(cmd.pushes))
	all := st.clock.Work() // time stands still until all have begun
	for i, t := range cmd.pushes {
		ended.Go(func() {
			once := sync.OnceFunc(begun.Done)
			defer once()
			repository, own := onHost(t.name, st.server.host()), o
			own.Progress = func(e pusher.Event) {
				if e.Status == "Preparing" || e.Err != nil {
					once()
				}
				if line := shownLine(e); line != "" && !cmd.quiet {
					shown[i] = append(shown[i], toHost(line, st.server.host()))
				}
			}
			if _, errs[i] = client.Push(ctx, repository, t.tag, own); errs[i] == nil && cmd.quiet {
				shown[i] = append(shown[i], toHost(repository+":"+t.tag, st.server.host()))
			}
		})
	}
	begun.Wait()
	all()
	ended.Wait()
	return shown, errs
}

// shownLine is what the docker command line shows of an event when it is not on a
// terminal: nothing of numbers, and errors elsewhere.
func shownLine(e pusher.Event) string {
	switch {
	case e.Err != nil, e.Aux != nil, e.Current > 0 || e.Total > 0:
		return ""
	case e.ID != "":
		return e.ID + ": " + e.Status
	}
	return e.Status
}

// userOf reads credentials from an Authorization header.
func userOf(e recording.Exchange) (pusher.Credentials, bool) {
	for _, h := range e.ReqHeaders {
		value, ok := strings.CutPrefix(h, "Authorization: ")
		if !ok {
			continue
		}
		r := http.Request{Header: http.Header{"Authorization": {value}}}
		if user, password, ok := r.BasicAuth(); ok {
			return pusher.Credentials{Username: user, Password: password}, true
		}
	}
	return pusher.Credentials{}, false
}

// A measuredBlob is what a layer's blob turned out to be.
type measuredBlob struct {
	digest digest.Digest
	size   int64
}

// measure finds out the digest and the size of a layer's blob.
func (st *stage) measure(l *layerOfImage) error {
	m, ok := st.measured[l.DiffID]
	if !ok {
		tar, err := st.images.OpenTar(l.ID)
		if err != nil {
			return err
		}
		defer tar.Close() //nolint:errcheck // read only
		sum := digest.SHA256.Digester()
		var n counter
		zip := gzips.Writer(io.MultiWriter(sum.Hash(), &n))
		defer gzips.Return(zip)
		if _, err := io.Copy(zip, tar); err != nil {
			return err
		}
		if err := zip.Close(); err != nil {
			return err
		}
		m = measuredBlob{sum.Digest(), int64(n)}
		st.measured[l.DiffID] = m
	}
	l.blob, l.size = m.digest, m.size
	return nil
}

// A counter counts what is written to it.
type counter int64

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
