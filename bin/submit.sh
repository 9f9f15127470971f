#!/usr/bin/env bash
# Run a framejury job on Spark, on this machine or on a cluster, with the settings of conf/spark and,
# on a cluster, the environment archive of `make package`. Ends with the job's exit code.
set -euo pipefail
# A run begins here, not when Java has started Python (clock.py).
started=${EPOCHREALTIME:-}
export FRAMEJURY_STARTED_S="${started/,/.}"
. "$(dirname "$0")/common.sh"

usage() {
    cat <<'END'
usage: bin/submit.sh [options] COMMAND [ARGUMENT]...

COMMAND and its ARGUMENTs are those of `framejury COMMAND` (--help lists them):
  index, extract, split, train, score, reduce, nightly, retry, inspect (an archive), modality,
  export-faces, compare-presets

  --conf NAME       settings: a file, or a name from conf/spark (local, standalone, yarn,
                    kubernetes, gpu, train, ui); may be repeated, the last one wins (default: local)
  --master URL      spark://HOST:7077, k8s://https://HOST:6443, ... (default: from --conf)
  --spark KEY=VALUE one Spark setting, overrides --conf; may be repeated
  --archive FILE    the environment archive (default: the one in dist/ for .venv's Python)
  --secret-file FILE
                    a file with the cluster's secret, which only you can read
                    (default: the environment variable FRAMEJURY_SPARK_SECRET)
  --no-auth         the cluster requires no secret; network traffic and spill files are
                    not encrypted either
  --dry-run         print what would be submitted, without secrets

FRAMEJURY_WAREHOUSE and FRAMEJURY_BUNDLE stand in for --warehouse and --bundle.

exit codes: those of the job; 2 also if these options are wrong

  bin/submit.sh nightly videos --warehouse out/warehouse
  bin/submit.sh --conf standalone --master spark://host:7077 --secret-file ~/.spark-secret \
      nightly hdfs:///videos --warehouse hdfs:///framejury
END
}

declare -A job_of=([index]=index_videos [extract]=extract_faces [split]=split_dataset
    [train]=train_head [score]=score_faces [reduce]=reduce_verdicts [nightly]=nightly
    [retry]=retry_videos [inspect]=inspect_archive [modality]=label_modalities [export-faces]=export_faces
    [compare-presets]=compare_presets)
confs=() extra=() master= archive= secret_file= no_auth= dry_run=
while [ $# -gt 0 ]; do
    case "$1" in
        --conf | --master | --spark | --archive | --secret-file)
            [ $# -ge 2 ] || fail "$1 needs a value (--help shows the options)"
            case "$1" in
                --conf) confs+=("$2") ;;
                --master) master=$2 ;;
                --spark) extra+=("$2") ;;
                --archive) archive=$2 ;;
                --secret-file) secret_file=$2 ;;
            esac
            shift 2
            ;;
        --no-auth) no_auth=yes && shift ;;
        --dry-run) dry_run=yes && shift ;;
        -h | --help) usage && exit 0 ;;
        -*) fail "unknown option $1 before the command (--help shows the options)" ;;
        *) break ;;
    esac
done
[ $# -ge 1 ] || fail "no command given (--help shows the options)"
command=$1
shift
job=${job_of[$command]:-}
[ -n "$job" ] || fail "$command is not a Spark job; Spark jobs are: index, extract, split, train," \
    "score, reduce, nightly, retry, inspect, modality, export-faces, compare-presets. Run other" \
    "commands with: framejury $command"
[ -x "$venv/bin/spark-submit" ] || fail "no Spark in .venv; run: make setup"

# One file of settings that only we can read, because every user of a machine can see command lines.
properties=$(mktemp "${TMPDIR:-/tmp}/framejury-submit.XXXXXX")
trap 'rm -f "$properties"' EXIT
for conf in "${confs[@]:-local}"; do
    file=$root/conf/spark/$conf.conf
    case "$conf" in */* | *.conf) file=$conf ;; esac
    [ -f "$file" ] || fail "no settings named $conf; there are: $(cd "$root/conf/spark" &&
        printf '%s ' *.conf | sed 's/\.conf//g')and your own files"
    cat -- "$file" >>"$properties"
    say >>"$properties"
done
for pair in ${extra[@]+"${extra[@]}"}; do
    [[ $pair == spark.*=* ]] || fail "--spark takes spark.NAME=VALUE, not $pair"
    # Secrets may be given by file name, but not as values.
    if [[ ${pair%%=*} =~ ([Ss]ecret|[Pp]assword|[Tt]oken|[Aa]ccess[.]?[Kk]ey)(\.?[Kk]ey)?$ ]]; then
        fail "${pair%%=*} on a command line is visible to every user of this machine; put it into" \
            "a file that only you can read, and pass that: --conf FILE"
    fi
    say "${pair%%=*} ${pair#*=}" >>"$properties"
done
[ -z "$master" ] || say "spark.master $master" >>"$properties"

# setting KEY: its value, the last line wins.
setting() {
    awk -v key="$1" '$1 == key { $1 = ""; sub(/^ /, ""); value = $0 } END { print value }' \
        "$properties"
}
put() { say "$1 $2" >>"$properties"; }

master=$(setting spark.master)
mode=$(setting spark.submit.deployMode)
[ -n "$master" ] || fail "no master given; name the cluster: --master spark://HOST:7077"

if [ -n "$no_auth" ]; then
    put spark.authenticate false
    put spark.network.crypto.enabled false
    put spark.io.encryption.enabled false
elif [ "$(setting spark.authenticate)" = true ] && [[ $master == spark://* ]] &&
    [ -z "$(setting spark.authenticate.secret)" ]; then
    # YARN, Kubernetes and local runs generate a secret themselves.
    secret=${FRAMEJURY_SPARK_SECRET:-}
    if [ -n "$secret_file" ]; then
        [ -r "$secret_file" ] || fail "cannot read the secret in $secret_file"
        [ -z "$(find -L "$secret_file" -perm /077)" ] ||
            fail "other users can read $secret_file; run: chmod 600 $secret_file"
        secret=$(cat -- "$secret_file")
    fi
    [ -n "$secret" ] || fail "the cluster's secret is missing; pass --secret-file FILE or set" \
        "FRAMEJURY_SPARK_SECRET, with the value of spark.authenticate.secret on its nodes;" \
        "for a cluster without a secret: --no-auth"
    put spark.authenticate.secret "$secret"
fi
# The secret is in the file now; the programs started below must not inherit it.
unset FRAMEJURY_SPARK_SECRET secret

arguments=()
# A driver in the cluster does not inherit the variables that stand in for options.
for name in FRAMEJURY_WAREHOUSE FRAMEJURY_BUNDLE; do
    if [ "$mode" = cluster ] && [ -n "${!name:-}" ]; then
        case "$master" in
            k8s://*) put "spark.kubernetes.driverEnv.$name" "${!name}" ;;
            *) put "spark.yarn.appMasterEnv.$name" "${!name}" ;;
        esac
    fi
done
python=$(setting spark.pyspark.python)
if [[ $python == ./environment/* ]]; then
    if [ -z "$archive" ]; then
        version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        # A driver in the cluster writes the report, so it needs that extra.
        suffix=
        [ "$mode" != cluster ] || suffix=-report
        archive=$root/dist/environment$suffix-python$version-$(uname -m).tar.gz
        [ -f "$archive" ] || fail "no environment archive at $archive; build it:" \
            "bin/package.sh${suffix:+ --with report}"
    elif [[ $archive != *://* ]] && [ ! -f "$archive" ]; then
        fail "no environment archive at $archive; build it: make package"
    fi
    arguments+=(--archives "$archive#environment")
elif [ -n "$archive" ]; then
    arguments+=(--archives "$archive#environment")
    put spark.pyspark.python ./environment/bin/python
fi

# Spark's event log keeps the command line, and the address of a webhook is a secret.
words=() webhooks=
while [ $# -gt 0 ]; do
    case "$1" in
        --notify)
            [ $# -ge 2 ] || fail "--notify needs a value"
            webhooks+=" $2"
            shift
            ;;
        --notify=*) webhooks+=" ${1#--notify=}" ;;
        *) words+=("$1") ;;
    esac
    shift
done
set -- ${words[@]+"${words[@]}"}
if [ -n "$webhooks" ]; then
    [ "$mode" != cluster ] || fail "--notify would be stored by the cluster; set FRAMEJURY_NOTIFY" \
        "in the driver's environment instead, from a secret (docs/operations.md)"
    export FRAMEJURY_NOTIFY=$webhooks
fi

job=$root/jobs/$job.py
if [ "$mode" = cluster ]; then
    # The jobs are in the image, at the path that kubernetes.conf requires.
    [[ $master != k8s://* ]] || job=local:///opt/framejury/jobs/$(basename "$job")
else
    [ -n "$(setting spark.pyspark.driver.python)" ] ||
        put spark.pyspark.driver.python "$venv/bin/python"
    [ -n "$(setting spark.driver.extraJavaOptions)" ] || put spark.driver.extraJavaOptions \
        "-Dlog4j2.configurationFile=file:$root/conf/spark/log4j2.properties"
    # The driver writes the event log on this machine; in a container, among the container's logs.
    case "$(setting spark.eventLog.dir)" in
        'file:${system:java.io.tmpdir}' | 'file:${system:spark.yarn.app.container.log.dir}')
            put spark.eventLog.dir "file:$root/out/spark-events"
            ;;
    esac
fi

if [ -n "$dry_run" ]; then
    say "spark-submit ${arguments[*]:-} $job $*"
    # Redact the same names as Spark does in its logs.
    grep -v '^ *#' "$properties" | awk 'NF { last[$1] = $0 } END { for (k in last) print last[k] }' |
        sort | sed -E 's/^(\S*(secret|password|token|access.?key|private.?key|credential)\S*) .*/\1 (redacted)/I'
    exit 0
fi

if [ "$mode" != cluster ]; then
    # Spark does not create the folder.
    events=$(setting spark.eventLog.dir)
    if [[ $events == file:/* || $events == /* ]]; then
        mkdir -p -m 700 "/${events#file:}" || fail "cannot create the event log folder $events"
    fi
fi
JAVA_HOME=$("$root/bin/find-java.sh") || fail "found no Java that Spark can use; run: make setup"
export JAVA_HOME
# Another Spark's settings must not leak into ours.
unset SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYTHONPATH PYTHONHOME
if [[ $master == local* ]]; then
    # Also works on machines whose host name does not resolve.
    export SPARK_LOCAL_IP=127.0.0.1
fi

submit=("$venv/bin/spark-submit" --properties-file)
if [ -e /proc/self/fd ]; then
    # The file is deleted before anything starts; Spark reads it through the open descriptor. Because
    # of exec, signals and the exit code are the job's own.
    exec 3<"$properties"
    rm -f "$properties"
    exec "${submit[@]}" /proc/self/fd/3 ${arguments[@]+"${arguments[@]}"} "$job" "$@"
fi
"${submit[@]}" "$properties" ${arguments[@]+"${arguments[@]}"} "$job" "$@"
