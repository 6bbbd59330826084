package pusher

import (
	"time"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// Docker18 is docker 1.8.3.
func Docker18() Era {
	return Era{
		Name:            "docker-1.8",
		UserAgent:       "docker/1.8.3 go/go1.4.2 git-commit/f4bf5c7 kernel/3.19.0 os/linux arch/amd64",
		Policy:          UntilConnected,
		Endpoints:       []EndpointRule{{"https", V2}, {"http", V2}, {"https", V1}, {"http", V1}},
		PushesToMirrors: true,
		OfficialV1:      true,
		VersionHeader:   true,
		PingTimeout:     5 * time.Second,
		TokenTimeout:    15 * time.Second,
		TokenLifetime:   60 * time.Second,
		Errors: ErrorRules{
			Codes:      errcode.Docker18(),
			EmptyLists: true,
			Unread:     "Error parsing HTTP response: %[2]s: %[3]q",
			Unexpected: "Received unexpected HTTP status: %s",
		},
		Words: Words{
			Refers:     "The push refers to a repository [%[1]s] (len: %[2]d)",
			NoName:     "Repository does not exist: %[2]s",
			NoTag:      "error getting tags for %[1]s: Tag does not exist for %[2]s",
			NoImage:    "could not find image: no such id: %[3]s",
			InProgress: "push %s is already in progress",
			Preparing:  "Buffering to Disk",
			Pushed:     "Image successfully pushed",
		},
		Upload:         UploadStyle{Buffers: true, ExactRange: true, EmptyType: true},
		Layers:         LayerRules{Retry: RetryRules{FailureStatus: "Image push failed"}},
		Manifests:      []Format{Schema1},
		Stream:         StreamStyle{StatusEnd: "\n", Width: 200},
		OutlivesCaller: true,
		Known: []Deviation{
			{"clean-up", "P-208", "an upload session that failed is never cancelled"},
			{"no-downgrade", "P-060", "an insecure registry's plain http endpoint follows whatever https answered"},
			{"no-downgrade", "P-162", "a V1 session is opened where its own ping has found V2"},
			{"no-downgrade", "P-201", "the Location of a session is followed wherever it leads, plain http included"},
			{"expected-traffic", "P-201", "a session without a location is looked for at the address of the POST"},
			{"progress-tells-truth", "P-207", "the digest of a tag is shown before its manifest is put"},
			{"secrets-stay", "P-141", "user and password go to whichever realm the registry names"},
			{"truth", "P-230", "a redirected manifest is fetched from where it leads instead of put, and that counts"},
			{"truth", "P-222", "nothing in the answer to a manifest is read, and the manifest is not read back"},
		},
	}
}

// Docker19 is docker 1.9.1.
func Docker19() Era {
	e := Docker18()
	e.Name = "docker-1.9"
	e.UserAgent = "docker/1.9.1 go/go1.4.3 git-commit/a34a1d5 kernel/4.2.0 os/linux arch/amd64"
	e.PushesToMirrors = false
	e.Names.Labels = true
	e.PingTimeout = 15 * time.Second
	e.Words.InProgress = "push or pull %s is already in progress"
	e.Words.Preparing, e.Words.Started, e.Words.Pushed = "Preparing", "Pushing", "Pushed"
	e.Upload = UploadStyle{EmptyType: true}
	e.Layers.KeepsFirstDigest, e.Layers.AsksOnce = true, true
	e.Manifest.RepairsChain = true
	return e
}
