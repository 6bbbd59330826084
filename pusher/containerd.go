package pusher

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// Containerd is docker 28.5.2 with containerd's image store (P-390, P-392 to P-400).
func Containerd() Era {
	return Era{
		Name:             "containerd",
		UserAgent:        "docker/28.5.2 go/go1.24.9 git-commit/89c5e8f kernel/6.12.0 os/linux arch/amd64 containerd-client/2.1.4+unknown storage-driver/overlayfs UpstreamClient(Docker-Client/28.5.2 \\(linux\\))",
		Way:              WayContainerd,
		KeepsConnections: true,
		Policy:           UntilConnected,
		Endpoints:        []EndpointRule{{"https", V2}, {"http", V2}},
		TokenTimeout:     time.Minute,
		Token:            TokenRules{MinLifetime: time.Minute, AccessToken: true, Refresh: true, RegistryToken: true},
		Names:            NameRules{Reference: plainReference},
		Archive:          ArchiveContent,
		Errors:           ErrorRules{Codes: errcode.Docker28(), Spoken: true},
		Words: Words{
			Refers:     "The push refers to repository [%[1]s]",
			NoName:     "An image does not exist locally with the tag: %[2]s",
			NoTag:      "tag does not exist: %[3]s",
			NoDigests:  "cannot push a digest reference",
			NoImage:    "could not find image from tag %[1]s: %[2]s",
			NoPlatform: "image with reference %[1]s was found but does not provide the specified platform (%[2]s)",
			Pushed:     "Pushed",
		},
		Layers: LayerRules{Concurrency: 5},
		Stream: StreamStyle{StatusEnd: "\r\n", ProgressEnd: "\r\n", Width: 200, DropsTotal: true},
		Known: []Deviation{
			{"clean-up", "P-208", "an upload session that failed is never cancelled"},
			{"no-downgrade", "P-060", "an insecure registry's plain http endpoint follows whatever https answered"},
			{"no-downgrade", "P-201", "the Location of a session is followed wherever it leads, plain http included"},
			{"secrets-stay", "P-141", "user and password go to whichever realm the registry names"},
			{"expected-traffic", "P-395", "a Location that is no address gets the host's scheme put before it"},
			{"patience", "P-398", "a request is repeated at once, whatever Retry-After says"},
			{"truth", "P-222", "the manifest is not read back"},
		},
	}
}

// A c8dPusher pushes over V2 as containerd's resolver does: no ping, one blob like
// the other, and the manifest last (P-095, P-392).
type c8dPusher struct{}

// Push implements Pusher.
func (c8dPusher) Push(ctx context.Context, job *Job) ([]Published, error) {
	tags, err := job.selectTags()
	if err != nil {
		return nil, at(StageAuthorize, err)
	}
	h := newC8dHost(job)
	p := &c8dPush{job: job, host: h, have: map[digest.Digest]bool{}}
	var published []Published
	for _, tag := range tags {
		one, err := p.tag(ctx, tag)
		if err != nil {
			return published, at(p.stage(), err)
		}
		published = append(published, one)
	}
	return published, nil
}

// A c8dPush is one push.
type c8dPush struct {
	job  *Job
	host *c8dHost

	mu         sync.Mutex // guards everything below
	have       map[digest.Digest]bool
	publishing bool
}

// stage is how far the push got.
func (p *c8dPush) stage() Stage {
	p.mu.Lock()
	publishing := p.publishing
	p.mu.Unlock()
	switch {
	case !p.host.answered():
		return StageConnect
	case publishing:
		return StagePublish
	}
	return StageUpload
}

// tag pushes one tag.
func (p *c8dPush) tag(ctx context.Context, tag string) (Published, error) {
	img, err := openBestImage(ctx, p.job, tag)
	if err != nil {
		return Published{}, p.job.noImage(tag, err)
	}
	defer img.close()
	target := img
	if !img.packed {
		if target, err = p.whole(tag, img); err != nil {
			return Published{}, err
		}
	}
	if err := p.sendAll(ctx, tag, target); err != nil {
		return Published{}, err
	}
	if target != img {
		p.job.Report(Event{Aux: ManifestPushedInsteadOfIndex{
			ManifestPushedInsteadOfIndex: true, OriginalIndex: auxDescriptor(img.manifest), SelectedManifest: auxDescriptor(target.manifest),
		}})
	}
	one := Published{Tag: tag, Digest: target.manifest.digest.String(), Size: target.manifest.size}
	p.job.status(fmt.Sprintf("%s: digest: %s size: %d", tag, one.Digest, one.Size)) // no aux (P-399)
	return one, nil
}

// blobs pushes the blobs side by side; the first error ends the others.
func (p *c8dPush) blobs(ctx context.Context, list []*bestBlob) error {
	for _, b := range list {
		p.tell(b, "Waiting")
	}
	return p.job.eachAtOnce(ctx, list, p.blob)
}

// tell tells of a blob (P-399).
func (p *c8dPush) tell(b *bestBlob, status string) {
	p.job.Report(Event{ID: shortID(b.Digest.Encoded()), Status: status, Action: true})
}

// seen tells whether an earlier tag of this push brought the blob.
func (p *c8dPush) seen(d digest.Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.have[d]
}

func (p *c8dPush) saw(d digest.Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.have[d] = true
}
