#!/usr/bin/env bash
# Runs a job of framejury on Spark: this machine, or a cluster, with the settings of conf/spark
# and, on a cluster, the environment archive of `make package`. Ends with the job's exit code.
set -euo pipefail
. "$(dirname "$0")/common.sh"

usage() {
    cat <<'END'
usage: bin/submit.sh [options] VERB [ARGUMENT]...

VERB and its ARGUMENTs are those of `framejury VERB` (--help lists them):
  index, extract, split, train, score, reduce, nightly, retry, modality, export-faces,
  compare-presets

  --conf NAME       settings: a file, or a name of conf/spark (local, standalone, yarn,
                    kubernetes, gpu, train, ui); may be repeated, last wins (default: local)
  --master URL      spark://HOST:7077, k8s://https://HOST:6443, ... (default: as --conf says)
  --spark KEY=VALUE one setting of Spark, over --conf; may be repeated
  --archive FILE    the environment archive (default: the one of dist/ that fits .venv's Python)
  --secret-file FILE  holds the cluster's secret, in a file that only you can read
                    (default: the environment variable FRAMEJURY_SPARK_SECRET)
  --no-auth         the cluster asks for no secret; nothing is encrypted on the way either
  --dry-run         print what would be submitted, without secrets

exit codes: those of the job; 2 also for what is wrong with these options

  bin/submit.sh nightly videos --warehouse out/warehouse
  bin/submit.sh --conf standalone --master spark://host:7077 --secret-file ~/.spark-secret \
      nightly hdfs:///videos --warehouse hdfs:///framejury
END
}

declare -A job_of=([index]=index_videos [extract]=extract_faces [split]=split_dataset
    [train]=train_head [score]=score_faces [reduce]=reduce_verdicts [nightly]=nightly
    [retry]=retry_videos [modality]=label_modalities [export-faces]=export_faces
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
        -*) fail "unknown option $1 before the verb (--help shows the options)" ;;
        *) break ;;
    esac
done
[ $# -ge 1 ] || fail "no verb given (--help shows the options)"
verb=$1
shift
job=${job_of[$verb]:-}
[ -n "$job" ] || fail "$verb is no job of Spark; the jobs are: index, extract, split, train," \
    "score, reduce, nightly, retry, modality, export-faces, compare-presets. Other verbs run without:" \
    "framejury $verb"
[ -x "$venv/bin/spark-submit" ] || fail "no Spark in .venv; run: make setup"

# One file of settings, which only we can read: command lines are seen by all of this machine.
properties=$(mktemp "${TMPDIR:-/tmp}/framejury-submit.XXXXXX")
trap 'rm -f "$properties"' EXIT
for conf in "${confs[@]:-local}"; do
    file=$root/conf/spark/$conf.conf
    case "$conf" in */* | *.conf) file=$conf ;; esac
    [ -f "$file" ] || fail "no settings $conf; there are: $(cd "$root/conf/spark" &&
        printf '%s ' *.conf | sed 's/\.conf//g')and your own files"
    cat -- "$file" >>"$properties"
    say >>"$properties"
done
for pair in ${extra[@]+"${extra[@]}"}; do
    [[ $pair == spark.*=* ]] || fail "--spark takes spark.NAME=VALUE, not $pair"
    # Names of files may be named here; what is in them may not.
    if [[ ${pair%%=*} =~ ([Ss]ecret|[Pp]assword|[Tt]oken|[Aa]ccess[.]?[Kk]ey)(\.?[Kk]ey)?$ ]]; then
        fail "${pair%%=*} on a command line is seen by everybody on this machine; put it into a" \
            "file that only you can read, and name that: --conf FILE"
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
[ -n "$master" ] || fail "which cluster? name it: --master spark://HOST:7077"

if [ -n "$no_auth" ]; then
    put spark.authenticate false
    put spark.network.crypto.enabled false
    put spark.io.encryption.enabled false
elif [ "$(setting spark.authenticate)" = true ] && [[ $master == spark://* ]] &&
    [ -z "$(setting spark.authenticate.secret)" ]; then
    # YARN, Kubernetes and local runs make one themselves.
    secret=${FRAMEJURY_SPARK_SECRET:-}
    if [ -n "$secret_file" ]; then
        [ -r "$secret_file" ] || fail "cannot read the secret in $secret_file"
        [ -z "$(find -L "$secret_file" -perm /077)" ] ||
            fail "others may read $secret_file; chmod 600 $secret_file"
        secret=$(cat -- "$secret_file")
    fi
    [ -n "$secret" ] || fail "the cluster's secret is missing; give --secret-file FILE (or" \
        "FRAMEJURY_SPARK_SECRET), the one of spark.authenticate.secret on its nodes;" \
        "a cluster without one: --no-auth"
    put spark.authenticate.secret "$secret"
fi
# What is in the file now; no program started below needs to know it.
unset FRAMEJURY_SPARK_SECRET secret

arguments=()
python=$(setting spark.pyspark.python)
if [[ $python == ./environment/* ]]; then
    if [ -z "$archive" ]; then
        version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        # A driver in the cluster writes the report there.
        suffix=
        [ "$mode" != cluster ] || suffix=-report
        archive=$root/dist/environment$suffix-python$version-$(uname -m).tar.gz
        [ -f "$archive" ] || fail "no environment archive at $archive; make it:" \
            "bin/package.sh${suffix:+ --with report}"
    elif [[ $archive != *://* ]] && [ ! -f "$archive" ]; then
        fail "no environment archive at $archive; make package makes one"
    fi
    arguments+=(--archives "$archive#environment")
elif [ -n "$archive" ]; then
    arguments+=(--archives "$archive#environment")
    put spark.pyspark.python ./environment/bin/python
fi
job=$root/jobs/$job.py
if [ "$mode" = cluster ]; then
    # In the image, where kubernetes.conf says that they are.
    [[ $master != k8s://* ]] || job=local:///opt/framejury/jobs/$(basename "$job")
else
    [ -n "$(setting spark.pyspark.driver.python)" ] ||
        put spark.pyspark.driver.python "$venv/bin/python"
    [ -n "$(setting spark.driver.extraJavaOptions)" ] || put spark.driver.extraJavaOptions \
        "-Dlog4j2.configurationFile=file:$root/conf/spark/log4j2.properties"
    # The driver writes the event log here.
    if [[ $(setting spark.eventLog.dir) == 'file:${system:java.io.tmpdir}' ]]; then
        put spark.eventLog.dir "file:$root/out/spark-events"
    fi
fi

if [ -n "$dry_run" ]; then
    say "spark-submit ${arguments[*]:-} $job $*"
    # The same names that Spark leaves out of its logs.
    grep -v '^ *#' "$properties" | awk 'NF { last[$1] = $0 } END { for (k in last) print last[k] }' |
        sort | sed -E 's/^(\S*(secret|password|token|access.?key|private.?key|credential)\S*) .*/\1 (redacted)/I'
    exit 0
fi

if [ "$mode" != cluster ]; then
    # Spark wants to find the folder.
    events=$(setting spark.eventLog.dir)
    if [[ $events == file:/* || $events == /* ]]; then
        mkdir -p -m 700 "/${events#file:}" || fail "cannot make the folder of the event log, $events"
    fi
fi
JAVA_HOME=$("$root/bin/find-java.sh") || fail "no Java for Spark; run: make setup"
export JAVA_HOME
# Another Spark's settings must not leak into ours.
unset SPARK_HOME SPARK_CONF_DIR PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON PYTHONPATH PYTHONHOME
if [[ $master == local* ]]; then
    # Works where the machine's own name resolves to nothing.
    export SPARK_LOCAL_IP=127.0.0.1
fi

submit=("$venv/bin/spark-submit" --properties-file)
if [ -e /proc/self/fd ]; then
    # The file is gone before anything starts: Spark reads it through the open descriptor. Signals
    # and the exit code are the job's own.
    exec 3<"$properties"
    rm -f "$properties"
    exec "${submit[@]}" /proc/self/fd/3 ${arguments[@]+"${arguments[@]}"} "$job" "$@"
fi
"${submit[@]}" "$properties" ${arguments[@]+"${arguments[@]}"} "$job" "$@"
