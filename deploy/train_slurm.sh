#!/bin/bash
# A training as a SLURM job on the GPUs of one node, which goes on when it is put back in the queue.
#
#   sbatch deploy/train_slurm.sh configs/mfnet.yaml runs/mfnet --data.root /data/mfnet
#
# The job gets SIGTERM two minutes before its end, saves its state, and is begun anew.
#SBATCH --job-name=samantic
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --gres=gpu:4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --open-mode=append
set -euo pipefail

config=$1 out=$2
shift 2
go_on=()
if [ -f "$out/last.ckpt" ] || [ -f "$out/previous.ckpt" ]; then go_on=(--resume); fi
srun samantic train "$config" --out "$out" --train.devices "${SLURM_NTASKS_PER_NODE:-1}" \
    "${go_on[@]}" "$@"
