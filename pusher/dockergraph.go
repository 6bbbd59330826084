package pusher

import (
	"net/http"
	"slices"
	"time"

	"github.com/pushcheck/pushcheck/internal/errcode"
)

// The text that docker's system calls have for a full disk, and the one that
// later dockers look for in its place (P-105, P-109).
const (
	diskFull  = "no space left on device"
	noProcess = "no such process"
)

// plainReference says what is wrong with a name, and nothing else.
const plainReference = "%[2]w"

const schema1Removed = "[DEPRECATED] support for pushing manifest v2 schema1 images has been removed. More information at https://docs.docker.com/registry/spec/deprecated-schema-v1/"

const schema1Notice = "[DEPRECATION NOTICE] support for pushing manifest v2 schema1 images will be removed in an upcoming release. Please contact admins of the %s registry NOW to avoid future disruption. More information at https://docs.docker.com/registry/spec/deprecated-schema-v1/"

// Docker110 is docker 1.10.3.
func Docker110() Era {
	return Era{
		Name:         "docker-1.10",
		UserAgent:    "docker/1.10.3 go/go1.5.3 git-commit/20f81dd kernel/4.4.0 os/linux arch/amd64",
		Policy:       Fallback{Codes: fallbackCodes(), StopText: diskFull}.Policy(),
		Endpoints:    []EndpointRule{{"https", V2}, {"http", V2}, {"https", V1}, {"http", V1}},
		OfficialV1:   true,
		PingTimeout:  15 * time.Second,
		TokenTimeout: 15 * time.Second,
		Token: TokenRules{
			MinLifetime: 60 * time.Second, AccessToken: true, Decodes: true, MountScope: MountScopeKept, RegistryToken: true,
		},
		Archive: ArchiveManifest,
		Names:   NameRules{Reference: "Error parsing reference: %[1]q is not a valid repository/tag", Longest: LengthAsWritten},
		Errors: ErrorRules{
			Codes:      errcode.Docker110(),
			Spoken:     true,
			EmptyLists: true,
			Details:    map[int]errcode.ErrorCode{http.StatusUnauthorized: "UNAUTHORIZED"},
			Unread:     "Error parsing HTTP response: %[2]s: %[3]q",
			Unexpected: "Received unexpected HTTP status: %s",
			NoLength:   "missing content-length header for request: %s",
		},
		Words: Words{
			Refers:    "The push refers to a repository [%[1]s]",
			NoName:    "Repository does not exist: %[2]s",
			NoTag:     "tag does not exist: %[3]s",
			NoDigests: "cannot push a digest reference",
			NoImage:   "could not find image from tag %[1]s: %[2]s",
			Pushed:    "Pushed",
		},
		Upload: UploadStyle{EmptyType: true, StrictStart: true},
		Layers: LayerRules{
			Concurrency: 5,
			Retry: RetryRules{
				Attempts: 5, Step: 5 * time.Second, FinalText: diskFull, FailureStatus: "Image push failed",
				Final: []errcode.ErrorCode{"UNAUTHORIZED", "UNSUPPORTED", "DENIED"},
			},
			Search: SearchRules{
				FirstChecks: -1, CheckFails: true, Order: OldestFirst, Target: true, Fails: true, ForgetSession: true,
				Budgets: []SearchBudget{{Mounts: 1}},
			},
		},
		Manifests: []Format{Schema2, Schema1},
		Manifest:  ManifestRules{ConfigType: ConfigTypeAnswered, WantsDigest: true, LateDigest: true},
		V1:        V1Rules{Lean: true},
		Stream:    StreamStyle{StatusEnd: "\r\n", ProgressEnd: "\r\n", Width: 200, DropsTotal: true},
		Known: []Deviation{
			{"bounded", "P-344", "a token that was refused is asked for again with each attempt of each layer"},
			{"clean-up", "P-208", "an upload session that failed is never cancelled"},
			{"no-downgrade", "P-060", "an insecure registry's plain http endpoint follows whatever https answered"},
			{"no-downgrade", "P-162", "a V1 session is opened where its own ping has found V2"},
			{"no-downgrade", "P-201", "the Location of a session is followed wherever it leads, plain http included"},
			{"expected-traffic", "P-201", "a session without a location is looked for at the address of the POST"},
			{"patience", "P-343", "Retry-After is never read"},
			{"patience", "P-346", "a refusal without detail in its default words is no final one"},
			{"patience", "P-375", "schema 1 follows a refused schema 2 manifest at once"},
			{"secrets-stay", "P-141", "user and password go to whichever realm the registry names"},
			{"truth", "P-374", "the digest in the answer to a manifest is not compared, and the manifest is not read back"},
		},
	}
}

// without is a list of deviations without those that a rule explained.
func without(list []Deviation, rule string) []Deviation {
	return slices.DeleteFunc(list, func(d Deviation) bool { return d.Rule == rule })
}

// fallbackCodes are the refusals after which another endpoint is tried (P-105).
func fallbackCodes() []errcode.ErrorCode {
	return []errcode.ErrorCode{"UNAUTHORIZED", "MANIFEST_UNKNOWN", "NAME_UNKNOWN"}
}

// Docker111 is docker 1.11.2.
func Docker111() Era {
	e := Docker110()
	e.Name = "docker-1.11"
	e.UserAgent = "docker/1.11.2 go/go1.5.4 git-commit/b9f10c9 kernel/4.4.0 os/linux arch/amd64"
	e.Policy = Fallback{Codes: fallbackCodes(), StopText: diskFull, KeepsTLS: true}.Policy()
	e.Token.MountScope, e.Token.Refresh = MountScopeCached, true
	e.Errors.EmptyLists = false
	e.Errors.Unread = "error parsing HTTP %[1]d response body: %[2]s: %[3]q"
	e.Errors.Unexpected = "received unexpected HTTP status: %s"
	e.Layers.Retry.Singular, e.Layers.Retry.FinalAuth = true, true
	e.Layers.Search.Order, e.Layers.Search.Fails, e.Layers.Search.ForgetSession = YoungestFirst, false, false
	e.Layers.Search.Budgets = []SearchBudget{{Mounts: 3}}
	e.Manifest.ConfigType = ConfigTypeExisting
	e.V1.PingsV1Only = true
	e.Known = without(without(e.Known, "P-060"), "P-162")
	return e
}

// Docker112 is docker 1.12.6.
func Docker112() Era {
	e := Docker111()
	e.Name = "docker-1.12"
	e.UserAgent = "docker/1.12.6 go/go1.6.4 git-commit/78d1802 kernel/4.4.0 os/linux arch/amd64 UpstreamClient(Docker-Client/1.12.6 \\(linux\\))"
	e.Errors.Codes = errcode.Docker112()
	e.Errors.Details = map[int]errcode.ErrorCode{http.StatusUnauthorized: "UNAUTHORIZED", http.StatusTooManyRequests: "TOOMANYREQUESTS"}
	e.Words.NoName = "An image does not exist locally with the tag: %[2]s"
	e.Layers.Retry.Final = []errcode.ErrorCode{"UNAUTHORIZED", "UNSUPPORTED", "DENIED", "TOOMANYREQUESTS", "NAME_UNKNOWN"}
	e.Layers.KeyHost, e.Layers.Foreign = true, true
	e.Manifest.ConfigType = ConfigTypeRight
	return e
}

// Docker113 is docker 1.13.1.
func Docker113() Era {
	e := Docker112()
	e.Name = "docker-1.13"
	e.UserAgent = "docker/1.13.1 go/go1.7.5 git-commit/092cba3 kernel/4.9.0 os/linux arch/amd64 UpstreamClient(Docker-Client/1.13.1 \\(linux\\))"
	e.OfficialV1 = false
	e.DefaultPorts = true
	e.Token.MountScope = MountScopeFresh
	e.Errors.Challenges = true
	e.Layers.Retry.FinalUnknown, e.Layers.Retry.FailureStatus = true, ""
	e.Layers.Search = SearchRules{
		FirstChecks: 1, CheckForget: true, Order: MostAlike, Restarts: true, ForgetSession: true, Signs: true,
		Budgets: []SearchBudget{
			{UpTo: 100 << 10, Mounts: 1, Checks: 1},
			{UpTo: 10 << 20, Mounts: 3, Checks: 1},
			{Mounts: 4, Checks: 3, Any: true},
		},
	}
	e.Manifest.KeepsDigest = true
	e.Known = append(e.Known, Deviation{"clean-up", "P-363", "a session that a mount left is abandoned when the layer turns out to be there"})
	return e
}

// Docker2010 is docker 20.10.
func Docker2010() Era {
	e := Docker113()
	e.Name = "docker-20.10"
	e.UserAgent = "docker/20.10.24 go/go1.19.8 git-commit/5d6db84 kernel/5.10.0 os/linux arch/amd64 UpstreamClient(Docker-Client/20.10.24 \\(linux\\))"
	e.Policy = Fallback{Codes: fallbackCodes(), StopText: noProcess, KeepsTLS: true}.Policy()
	e.Endpoints = []EndpointRule{{"https", V2}, {"http", V2}}
	e.Names = NameRules{Reference: plainReference, Longest: LengthWithHost}
	e.Token.MountScope = MountScopeKnown
	e.Errors.Details = map[int]errcode.ErrorCode{
		http.StatusUnauthorized: "UNAUTHORIZED", http.StatusTooManyRequests: "TOOMANYREQUESTS", http.StatusForbidden: "DENIED",
	}
	e.Words.Refers = "The push refers to repository [%[1]s]"
	e.Upload.EmptyType = false
	e.Layers.ForeignAllowed = true
	e.Layers.Retry.FinalText = noProcess
	e.Layers.Search.FirstAny, e.Layers.Search.KeepRefused = true, true
	e.Manifests = []Format{Schema2}
	e.Schema1Allowed = true
	e.Known = without(e.Known, "P-375")
	e.Manifest.TagInvalid, e.Manifest.Schema1Notice = schema1Removed, schema1Notice
	return e
}

// Docker28 is docker 28.5.2 with the graph drivers' image store, its default.
func Docker28() Era {
	e := Docker2010()
	e.Name = "docker-28"
	e.UserAgent = "docker/28.5.2 go/go1.24.9 git-commit/89c5e8f kernel/6.12.0 os/linux arch/amd64 UpstreamClient(Docker-Client/28.5.2 \\(linux\\))"
	e.Policy = Fallback{StopText: noProcess, KeepsTLS: true}.Policy()
	e.Errors.Codes = errcode.Docker28()
	e.Errors.PlainBodies = true
	e.Names.Longest = LengthOfPath
	e.Archive = ArchiveLayout
	e.Upload.ChunkType = "application/octet-stream"
	e.Layers.Foreign, e.Layers.ForeignAllowed = false, false
	e.Words.NoPlatform = "image with reference %[1]s was found but its platform (%[3]s) does not match the specified platform (%[2]s)"
	e.Schema1Allowed = false
	e.Manifest.Schema1Notice = ""
	return e
}
