#!/usr/bin/env bash
# A whole Slurm on this machine, for tests: munged, slurmctld and a slurmd for each of five nodes, two fake GPUs in one of
# them and one in two others; with --accounting also slurmdbd and mariadb. Lives until its standard input is closed.
#
#   unshare --mount --pid --fork --kill-child --mount-proc --propagation private start.sh STATE PORT [--accounting]
#
# In namespaces of its own: nobody else on the machine sees this /etc/slurm, and the kernel ends every process of the
# cluster with this one. The configuration must be in the default place: inside jobs the plugin removes SLURM_CONF.
set -euo pipefail
state=$(mkdir -p "$1" && cd "$1" && pwd)
port=$2
accounting=${3:-}
host=$(hostname -s)
[ $$ = 1 ] || { echo "start.sh wants to be the first process of its own namespace (see its head)" >&2; exit 2; }
unset SLURM_CONF
mount -t tmpfs slurm /etc/slurm
mkdir -p "$state"/{ctld,d,log,run,munge,mrun}
chmod 755 "$state"

(umask 077; head -c 128 /dev/urandom > "$state/munge/key")
chown -R munge:munge "$state/munge" "$state/mrun"
chmod 700 "$state/munge"
setpriv --reuid munge --regid munge --clear-groups munged --force --key-file="$state/munge/key" \
  --socket="$state/mrun/s" --pid-file="$state/mrun/pid" --log-file="$state/mrun/log" --seed-file="$state/munge/seed"

# Copies of the null device: Slurm counts, binds and shows them to jobs as it would GPUs.
for i in 0 1; do mknod "$state/gpu$i" c 1 3; done
cat > /etc/slurm/gres.conf <<CONF
AutoDetect=off
NodeName=g1 Name=gpu Type=h200 File=$state/gpu[0-1]
NodeName=c1,c2 Name=gpu Type=toy File=$state/gpu0
CONF

store="AccountingStorageType=accounting_storage/none"
if [ "$accounting" = --accounting ]; then
  store="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort=$((port + 6))
AccountingStoragePass=$state/mrun/s
AccountingStorageTRES=gres/gpu
AccountingStoreFlags=job_comment
AccountingStorageEnforce=associations,limits"
fi
# cred_expire: a job that is requeued waits for so many seconds. SlurmdTimeout: a dead node is noticed after them.
# MinJobAge: what a job was is asked at the end of a test, however long the others took. OverMemoryKill and linuxproc:
# limits without cgroups.
cat > /etc/slurm/slurm.conf <<CONF
ClusterName=ci
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$state/mrun/s,cred_expire=10
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/d/%n
SlurmctldPidFile=$state/run/ctld.pid
SlurmdPidFile=$state/run/d-%n.pid
SlurmctldLogFile=$state/log/ctld.log
SlurmdLogFile=$state/log/d-%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=1
SlurmdParameters=config_overrides
GresTypes=gpu
MpiDefault=none
ReturnToService=2
MinJobAge=36000
KillWait=5
SlurmctldTimeout=10
SlurmdTimeout=15
BatchStartTimeout=10
JobRequeue=1
$store
NodeName=DEFAULT CPUs=8 RealMemory=12000 State=UNKNOWN
NodeName=c1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 1)) Gres=gpu:toy:1
NodeName=c2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 2)) Gres=gpu:toy:1
NodeName=g1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 3)) Gres=gpu:h200:2
NodeName=s1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 4))
NodeName=s2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + 5))
PartitionName=DEFAULT MaxTime=01:00:00 DefaultTime=00:10:00 DefMemPerCPU=256 State=UP PriorityTier=1
PartitionName=cpu Nodes=c1,c2 Default=YES
PartitionName=gpu Nodes=g1 GraceTime=60
PartitionName=urgent Nodes=g1 PriorityTier=2
PartitionName=spare Nodes=s1,s2
PartitionName=closed Nodes=c2 State=DOWN
CONF

if [ "$accounting" = --accounting ]; then
  mkdir -p "$state/db" "$state/dbrun"
  chown mysql:mysql "$state/db" "$state/dbrun"
  mariadb-install-db --no-defaults --user=mysql --datadir="$state/db" --skip-test-db > "$state/log/db-install.log" 2>&1
  mariadbd --no-defaults --user=mysql --datadir="$state/db" --socket="$state/dbrun/s" --skip-networking \
    --pid-file="$state/dbrun/pid" --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900 \
    > "$state/log/db.log" 2>&1 < /dev/null &
  for _ in $(seq 600); do
    mariadb --no-defaults -S "$state/dbrun/s" -e 'create database if not exists slurm_acct_db' 2> /dev/null && break
    sleep 0.1
  done
  (umask 077; printf '%s\n' AuthType=auth/munge "AuthInfo=socket=$state/mrun/s" DbdHost=localhost \
    "DbdPort=$((port + 6))" SlurmUser=root "LogFile=$state/log/dbd.log" "PidFile=$state/run/dbd.pid" \
    StorageType=accounting_storage/mysql StorageHost=localhost StorageLoc=slurm_acct_db StorageUser=root \
    > /etc/slurm/slurmdbd.conf)
  MYSQL_UNIX_PORT="$state/dbrun/s" slurmdbd          # root logs in by the Unix socket: no password
  for _ in $(seq 600); do sacctmgr -n -i list cluster > /dev/null 2>&1 && break; sleep 0.1; done
  # What these say goes elsewhere: who started this waits for one line.
  sacctmgr -Q -i add cluster ci > "$state/log/sacctmgr.log"
  sacctmgr -Q -i add account lab >> "$state/log/sacctmgr.log"
  sacctmgr -Q -i add user "$(id -un)" Account=lab >> "$state/log/sacctmgr.log"
fi
slurmctld
for node in c1 c2 g1 s1 s2; do slurmd -N "$node"; done
for _ in $(seq 600); do
  if [ "$(sinfo -h -N -t idle -o %N 2> /dev/null | sort -u | wc -l)" = 5 ]; then
    echo ready
    cat > /dev/null
    exit
  fi
  sleep 0.1
done
echo "the five nodes do not come up; logs in $state/log" >&2
exit 1
